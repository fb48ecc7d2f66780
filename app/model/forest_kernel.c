/* Adds up the path lengths of rows over all trees of an Isolation Forest.
 *
 * Nodes are 12 bytes and lie tree after tree, level after level, siblings side by side: a row goes to `left`, or to
 * the node behind it when its value is greater than the threshold. A leaf is its own left child and has an infinite
 * threshold, so walking on from it changes nothing and the inner loops need no branch. Eight walks go on side by
 * side, because a single one waits for memory at every node.
 *
 * A missing value (NaN) is not greater than any threshold, so it goes to the left; where the tree sends missing values to
 * the right, `missing_right` is 1. Only rows with a missing value are walked with it.
 *
 * Each row's sum is built from the first tree to the last: the order decides the last bits, and those decide labels.
 * The caller has checked that no node leads outside the arrays.
 */
#include <stdint.h>

#define LANES 8
/* Rows walked through one tree before the next: their values and sums stay in the first-level cache. */
#define BLOCK_ROWS 256

typedef struct {
    float threshold;
    int32_t feature;
    int32_t left;
} node;

typedef struct {
    const node *nodes;
    const double *path_lengths;
    const int32_t *roots;
    const int32_t *depths;
    const uint8_t *missing_right;
    int32_t n_trees;
    int32_t n_features;
} forest;

/* The sha256 of all C sources at the time of compilation: a library made from others is not used. */
const char source_sha256[] = SOURCE_SHA256;

/* Copies of the walks below are compiled for `missing` 0 and 1, so that rows without missing values pay nothing. */
#define SPECIALISED static inline __attribute__((always_inline))

SPECIALISED int32_t step(const forest *f, int32_t at, const float *row, int missing)
{
    const node here = f->nodes[at];
    const float value = row[here.feature];
    int32_t to_right = value > here.threshold;
    if (missing)
        to_right |= (value != value) & f->missing_right[at];
    return here.left + to_right;
}

static int has_missing(const float *values, int64_t n_values)
{
    int found = 0;
    for (int64_t i = 0; i < n_values; i++)
        found |= values[i] != values[i];
    return found;
}

/* One row: eight trees side by side. */
SPECIALISED double sum_of_row(const forest *f, const float *row, int missing)
{
    double sum = 0;
    int32_t tree = 0;
    for (; tree + LANES <= f->n_trees; tree += LANES) {
        int32_t at[LANES], depth = 0;
        for (int lane = 0; lane < LANES; lane++) {
            at[lane] = f->roots[tree + lane];
            if (f->depths[tree + lane] > depth)
                depth = f->depths[tree + lane];
        }
        for (; depth > 0; depth--)
            for (int lane = 0; lane < LANES; lane++)
                at[lane] = step(f, at[lane], row, missing);
        for (int lane = 0; lane < LANES; lane++)
            sum += f->path_lengths[at[lane]];
    }
    for (; tree < f->n_trees; tree++) {
        int32_t at = f->roots[tree];
        for (int32_t depth = f->depths[tree]; depth > 0; depth--)
            at = step(f, at, row, missing);
        sum += f->path_lengths[at];
    }
    return sum;
}

/* Eight rows, one after the other in memory, through one tree, side by side. */
SPECIALISED void add_tree(const forest *f, int32_t tree, const float *rows, double *sums, int missing)
{
    int32_t at[LANES];
    for (int lane = 0; lane < LANES; lane++)
        at[lane] = f->roots[tree];
    for (int32_t depth = f->depths[tree]; depth > 0; depth--)
        for (int lane = 0; lane < LANES; lane++)
            at[lane] = step(f, at[lane], rows + lane * f->n_features, missing);
    for (int lane = 0; lane < LANES; lane++)
        sums[lane] += f->path_lengths[at[lane]];
}

/* Many rows: eight rows side by side, a block of rows through one tree after the other. */
void sum_path_lengths(const forest *f, const float *rows, int64_t n_rows, double *sums)
{
    const int64_t in_lanes = n_rows - n_rows % LANES;
    for (int64_t row = 0; row < in_lanes; row++)
        sums[row] = 0;
    for (int64_t begin = 0; begin < in_lanes; begin += BLOCK_ROWS) {
        const int64_t end = begin + BLOCK_ROWS < in_lanes ? begin + BLOCK_ROWS : in_lanes;
        const int missing = has_missing(rows + begin * f->n_features, (end - begin) * f->n_features);
        for (int32_t tree = 0; tree < f->n_trees; tree++)
            for (int64_t first = begin; first < end; first += LANES)
                if (missing)
                    add_tree(f, tree, rows + first * f->n_features, sums + first, 1);
                else
                    add_tree(f, tree, rows + first * f->n_features, sums + first, 0);
    }
    for (int64_t row = in_lanes; row < n_rows; row++) {
        const float *values = rows + row * f->n_features;
        sums[row] = has_missing(values, f->n_features) ? sum_of_row(f, values, 1) : sum_of_row(f, values, 0);
    }
}
