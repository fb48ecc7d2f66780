/* Adds up the path lengths of rows over all trees of an Isolation Forest.
 *
 * Each row's sum is built from the first tree to the last: the order decides the last bits, and those decide labels.
 * The caller has checked that no node leads outside the arrays.
 *
 * Few rows walk from node to node. Nodes are 12 bytes and lie tree after tree, level after level, siblings side by side:
 * a row goes to `left`, or to the node behind it when its value is greater than the threshold. A leaf is its own left
 * child and has an infinite threshold, so walking on from it changes nothing and the inner loops need no branch. Eight
 * walks go on side by side, because a single one waits for memory at every node.
 *
 * A missing value (NaN) is not greater than any threshold, so it goes to the left; where the tree sends missing values to
 * the right, `missing_right` is 1. Only rows with a missing value are walked with it.
 *
 * Many rows visit all nodes of a tree, side by side in lanes of one byte: see forest_lanes.h.
 */
#include <stdint.h>

/* Walks side by side. */
#define WALKS 8
/* Rows that visit one tree before the next: what is kept of them stays in the first-level cache. */
#define BLOCK_ROWS 512
/* From so many rows on, visiting all nodes takes less time than walking, even if most lanes stay empty. */
#define MIN_ROWS_IN_LANES 32
/* Trees whose path lengths are added to a row's sum together. */
#define TREES_AT_ONCE 4
/* Lanes are computed in so many vectors at a time: enough to hide how long each takes, few enough for the registers. */
#define VECTORS 4

typedef struct {
    float threshold;
    int32_t feature;
    int32_t left;
} node;

/* An inner node of a tree whose leaves are numbered from left to right. */
typedef struct {
    int8_t rank;           /* values of a greater rank go right */
    int8_t greatest;       /* and of at most this one: MISSING, or one less where missing values go left */
    uint8_t first;         /* the first leaf below the node */
    uint8_t leaves_on_left;
    int32_t feature;
} ranked_node;

/* Trees that follow each other, with the thresholds that their nodes have. */
typedef struct {
    const ranked_node *nodes;        /* tree after tree, each node before those below it */
    const int32_t *first_nodes;      /* of each tree, and behind the last */
    const double *path_lengths;      /* of the leaves, tree after tree */
    const int32_t *first_leaves;     /* of each tree */
    const float *thresholds;         /* different ones, feature after feature, ascending */
    const int32_t *first_thresholds; /* of each feature, and behind the last */
    const int8_t *ranks;             /* for each group and feature: by place among the thresholds, the rank in the group */
    int32_t n_trees;
    int32_t trees_in_group; /* the last group may have fewer */
} part;

/* The rank of a missing value. */
#define MISSING INT8_MAX

typedef struct {
    const node *nodes;
    const double *path_lengths;
    const int32_t *roots;
    const int32_t *depths;
    const uint8_t *missing_right;
    const part *parts;
    int32_t n_trees;
    int32_t n_features;
    int32_t n_parts; /* 0 if trees are too large for lanes of a byte */
} forest;

/* The sha256 of all C sources at the time of compilation: a library made from others is not used. */
const char source_sha256[] = SOURCE_SHA256;

/* Copies of the functions below are compiled for `missing` 0 and 1, so that rows without missing values pay nothing. */
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
    for (; tree + WALKS <= f->n_trees; tree += WALKS) {
        int32_t at[WALKS], depth = 0;
        for (int lane = 0; lane < WALKS; lane++) {
            at[lane] = f->roots[tree + lane];
            if (f->depths[tree + lane] > depth)
                depth = f->depths[tree + lane];
        }
        for (; depth > 0; depth--)
            for (int lane = 0; lane < WALKS; lane++)
                at[lane] = step(f, at[lane], row, missing);
        for (int lane = 0; lane < WALKS; lane++)
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
    int32_t at[WALKS];
    for (int lane = 0; lane < WALKS; lane++)
        at[lane] = f->roots[tree];
    for (int32_t depth = f->depths[tree]; depth > 0; depth--)
        for (int lane = 0; lane < WALKS; lane++)
            at[lane] = step(f, at[lane], rows + lane * f->n_features, missing);
    for (int lane = 0; lane < WALKS; lane++)
        sums[lane] += f->path_lengths[at[lane]];
}

/* Rows that walk: eight through one tree, side by side, and what remains one by one. */
static void walk_rows(const forest *f, const float *rows, int64_t n_rows, int missing, double *sums)
{
    const int64_t together = n_rows - n_rows % WALKS;
    for (int64_t row = 0; row < together; row++)
        sums[row] = 0;
    for (int32_t tree = 0; tree < f->n_trees; tree++)
        for (int64_t row = 0; row < together; row += WALKS)
            if (missing)
                add_tree(f, tree, rows + row * f->n_features, sums + row, 1);
            else
                add_tree(f, tree, rows + row * f->n_features, sums + row, 0);
    for (int64_t row = together; row < n_rows; row++) {
        const float *values = rows + row * f->n_features;
        sums[row] = missing ? sum_of_row(f, values, 1) : sum_of_row(f, values, 0);
    }
}

/* A condition for a conditional move, which GCC chooses by itself: branches would be mispredicted every other time, and
 * the search would take longer than everything else. */
#ifdef __clang__
#define UNPREDICTABLE(condition) __builtin_unpredictable(condition)
#else
#define UNPREDICTABLE(condition) (condition)
#endif

/* Finds how many of the ascending thresholds are less than each value; one more than there are if it is missing. */
static void find_places(const float *thresholds, int64_t n_thresholds, const float *values, int64_t n_features,
                        int64_t n_rows, uint16_t *places)
{
    for (int64_t row = 0; row < n_rows; row += WALKS) {
        float value[WALKS];
        int64_t place[WALKS];
        for (int64_t lane = 0; lane < WALKS; lane++) {
            value[lane] = values[(row + lane < n_rows ? row + lane : row) * n_features];
            place[lane] = 0;
        }
        /* The thresholds before `place` are less, those from `place + size` on are not. */
        int64_t size = n_thresholds;
        for (int64_t half = size / 2; half > 0; size -= half, half = size / 2)
            for (int lane = 0; lane < WALKS; lane++)
                place[lane] += UNPREDICTABLE(value[lane] > thresholds[place[lane] + half - 1]) ? half : 0;
        for (int lane = 0; lane < WALKS; lane++) {
            place[lane] += size && value[lane] > thresholds[place[lane]];
            places[row + lane] = value[lane] != value[lane] ? n_thresholds + 1 : place[lane];
        }
    }
}

/* Adds the path lengths of `count` trees, of which `leaves` has the numbers of the rows' leaves. */
SPECIALISED void add_leaves(const part *p, int32_t tree, int count, const uint8_t *leaves, int64_t n_rows, double *sums)
{
    for (int64_t row = 0; row < n_rows; row++) {
        double sum = sums[row];
        for (int i = 0; i < count; i++)
            sum += p->path_lengths[p->first_leaves[tree + i] + leaves[i * BLOCK_ROWS + row]];
        sums[row] = sum;
    }
}

/* Sixteen bytes are what every x86-64 and ARM64 processor computes at once. */
#define LANES 16
#define SUFFIXED(name) name##_by_16
#include "forest_lanes.h"

/* With AVX2, 32; compiled in addition, and used where the processor has it. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(ONLY_NARROW_LANES)
#define HAS_WIDE_LANES
#undef LANES
#undef SUFFIXED
#define LANES 32
#define SUFFIXED(name) name##_by_32
#pragma GCC push_options
#pragma GCC target("avx2")
#include "forest_lanes.h"
#pragma GCC pop_options
#endif

/* Computes the sum of each row of n_features numbers, NaN where missing. */
void sum_path_lengths(const forest *f, const float *rows, int64_t n_rows, double *sums)
{
    void (*add_chosen)(const part *, int32_t, const float *, int64_t, int, double *) = add_part_by_16;
#ifdef HAS_WIDE_LANES
    if (__builtin_cpu_supports("avx2"))
        add_chosen = add_part_by_32;
#endif
    const int64_t left_over = n_rows % BLOCK_ROWS;
    const int64_t in_lanes = !f->n_parts ? 0 : left_over < MIN_ROWS_IN_LANES ? n_rows - left_over : n_rows;
    for (int64_t row = 0; row < in_lanes; row++)
        sums[row] = 0;
    for (int32_t number = 0; number < f->n_parts; number++)
        for (int64_t begin = 0; begin < in_lanes; begin += BLOCK_ROWS) {
            const int64_t n_block = in_lanes - begin < BLOCK_ROWS ? in_lanes - begin : BLOCK_ROWS;
            const float *block = rows + begin * f->n_features;
            add_chosen(f->parts + number, f->n_features, block, n_block, has_missing(block, n_block * f->n_features),
                       sums + begin);
        }
    for (int64_t begin = in_lanes; begin < n_rows; begin += BLOCK_ROWS) {
        const int64_t n_block = n_rows - begin < BLOCK_ROWS ? n_rows - begin : BLOCK_ROWS;
        const float *block = rows + begin * f->n_features;
        walk_rows(f, block, n_block, has_missing(block, n_block * f->n_features), sums + begin);
    }
}
