/* Explains rows: Shapley values of their path lengths, and what other values of one feature would change.
 *
 * The method of the Shapley values is described in explain_trees.py. In explain_lanes.h each tree is walked recursively. On the way
 * down, `above` holds the products of factors at the quadrature points, on the way up `below` the sums over the leaves.
 * `passes` holds, for each feature, 1 if the row passes all of its tests on the way, else 0. Where the row has failed
 * all features that a subtree tests, nothing depends on the row any more: the mean path length of the training rows
 * stands for the subtree.
 *
 * Numbers are computed side by side in lanes. For one row these are points, for many rows each lane is a row.
 *
 * Inner nodes lie tree after tree, each before its left subtree, and that before its right one. The caller has checked that no
 * node leads outside the arrays, that trees have at most MAX_LEVELS levels and rows at most MAX_FEATURES features.
 */
#include <stddef.h>
#include <stdint.h>

#define MAX_FEATURES 256
#define MAX_LEVELS 64
/* Blocks of numbers that a walk needs for each level. */
#define WORK_BLOCKS 3

/* An inner node; what lies on its sides, left and right, is in two entries. 64 bytes: a line of the cache. */
typedef struct {
    double expected[2]; /* mean path length of the training rows on each side; that of a row if it is a leaf */
    double zero_before; /* share of training rows that pass the earlier tests of this feature */
    double zero[2];     /* and of those that pass this test as well */
    uint32_t tested[2]; /* features tested on each side, one bit each; 0 for a leaf */
    float threshold;    /* values above it go right */
    int16_t feature;
    int16_t missing_right; /* -1 if missing values go right, else 0 */
    int32_t right;         /* the node on the right; the one on the left is the next */
    int32_t slot;          /* of the threshold, see `add_gains` */
} explain_node;

typedef struct {
    const explain_node *nodes;
    const int32_t *roots;       /* -1 for a tree of a single leaf */
    const int32_t *first_slots; /* of each feature, and behind the last */
    const double *points;       /* in (0, 1), padded to whole lanes */
    const double *weights;      /* padded with 0 */
    int32_t n_trees;
    int32_t n_points;
    int32_t n_features;
} explain_forest;

/* Features from the 32nd on share the last bit, which is never failed. */
static inline uint32_t bit_of(int32_t feature)
{
    return feature < 31 ? (uint32_t)1 << feature : 0;
}

static inline int32_t child_of(const explain_node *nodes, int32_t at, int side)
{
    return side ? nodes[at].right : at + 1;
}

/* Two numbers are what every x86-64 and ARM64 processor computes at once. */
#define LANES 2
#define SUFFIXED(name) name##_by_2
#include "explain_lanes.h"

/* With AVX2, four; compiled in addition, and used where the processor has it. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define HAS_WIDE_LANES
#undef LANES
#undef SUFFIXED
#define LANES 4
#define SUFFIXED(name) name##_by_4
#pragma GCC push_options
#pragma GCC target("avx2")
#include "explain_lanes.h"
#pragma GCC pop_options
#endif

/* Rows of n_features numbers, NaN where missing; `values` has the shape of the rows. */
void explain_rows(const explain_forest *f, const float *rows, int64_t n_rows, double *values)
{
#ifdef HAS_WIDE_LANES
    if (__builtin_cpu_supports("avx2")) {
        explain_all_by_4(f, rows, n_rows, values);
        return;
    }
#endif
    explain_all_by_2(f, rows, n_rows, values);
}

static int goes_right(const explain_node *here, const float *row)
{
    const float value = row[here->feature];
    return value > here->threshold || (value != value && here->missing_right);
}

/* Adds what the row gains on one side of a node by values of `feature` in the slots from `low` and before `high`. */
static void add_off(const explain_forest *f, const float *row, int32_t at, int side, int32_t feature, int32_t low,
                    int32_t high, double own, double *changes)
{
    while (low < high) {
        if (!f->nodes[at].tested[side]) {
            changes[low] += f->nodes[at].expected[side] - own;
            changes[high] -= f->nodes[at].expected[side] - own;
            return;
        }
        at = child_of(f->nodes, at, side);
        const explain_node *here = f->nodes + at;
        if (here->feature != feature)
            side = goes_right(here, row);
        else {
            add_off(f, row, at, 0, feature, low, high < here->slot ? high : here->slot, own, changes);
            low = low > here->slot ? low : here->slot;
            side = 1;
        }
    }
}

/* Adds up what other values of one feature gain, in edges.
 *
 * The thresholds of a feature cut its values into slots: the first has no lower end, and slot i is above its threshold
 * and up to that of slot i + 1. `changes` gets, at each slot, the difference to the slot before: its running sum is the
 * gain. It has one number for each slot and one more, all 0 before. */
void add_gains(const explain_forest *f, const float *row, double *changes)
{
    int32_t low[MAX_FEATURES], high[MAX_FEATURES];
    for (int32_t tree = 0; tree < f->n_trees; tree++) {
        int32_t at = f->roots[tree];
        if (at < 0)
            continue;
        int side = goes_right(f->nodes + at, row);
        while (f->nodes[at].tested[side]) {
            at = child_of(f->nodes, at, side);
            side = goes_right(f->nodes + at, row);
        }
        const double own = f->nodes[at].expected[side];
        for (int32_t feature = 0; feature < f->n_features; feature++) {
            low[feature] = f->first_slots[feature];
            high[feature] = f->first_slots[feature + 1];
        }
        for (at = f->roots[tree];; at = child_of(f->nodes, at, side)) {
            const explain_node *here = f->nodes + at;
            const int32_t feature = here->feature, slot = here->slot;
            const int32_t until = high[feature] < slot ? high[feature] : slot;
            const int32_t from = low[feature] > slot ? low[feature] : slot;
            side = goes_right(here, row);
            if (side) {
                add_off(f, row, at, 0, feature, low[feature], until, own, changes);
                low[feature] = from;
            } else {
                add_off(f, row, at, 1, feature, from, high[feature], own, changes);
                high[feature] = until;
            }
            if (!here->tested[side])
                break;
        }
    }
}
