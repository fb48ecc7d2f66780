/* What all pairs of rows in a window have in common, for training/drift/simulate.py: distances of ranks, and sums of
 * similarities.
 *
 * When a window slides, its sum changes by the pairs of the row that enters and of the row that leaves. Each function has
 * a copy for AVX2, which computes with twice as many rows at a time. Both do the same operations in the same order, so the
 * sums are the same on every CPU.
 */
#include <stdint.h>

#if defined(__GNUC__) && !defined(__clang__)
/* Nobody asks whether a comparison was of NaN: without this, GCC does not choose the larger of several numbers at once. */
#pragma GCC optimize("no-trapping-math")
#endif

#define SPECIALISED static inline __attribute__((always_inline))

/* The overlap of two rows is the smaller of their levels, less the tie of equal ones. This is the sum of those of one row
 * with the rows from `first` to before `end`: at most 1,000, each below 2**15. Equal rows have equal places. */
SPECIALISED int32_t overlaps_with(const int16_t *levels, const int16_t *ties, const int32_t *places, int64_t first,
                                  int64_t end, int64_t row)
{
    const int16_t level = levels[row];
    int32_t sum = 0;
    for (int64_t other = first; other < end; other++)
        sum += levels[other] < level ? levels[other] : level;
    if (ties[row]) {
        int32_t equal = 0;
        for (int64_t other = first; other < end; other++)
            equal += places[other] == places[row];
        sum -= ties[row] * equal;
    }
    return sum;
}

/* What rows and pairs of rows add to the distance of a window; the arrays have a number for each place in the reference. */
typedef struct {
    const int16_t *levels, *ties;
    const int64_t *singles;
    int64_t pair, all; /* factor of a pair's overlap, and the constant term */
    double factor;
} rank_sums;

SPECIALISED void sum_streams(const rank_sums *s, const int32_t *places, int64_t n_streams, int64_t n_rows, int64_t size,
                             double *distances)
{
    int16_t levels[n_rows], ties[n_rows];
    for (int64_t stream = 0; stream < n_streams; stream++) {
        for (int64_t row = 0; row < n_rows; row++) {
            levels[row] = s->levels[places[row]];
            ties[row] = s->ties[places[row]];
        }
        int64_t pairs = 0, singles = 0;
        for (int64_t row = 0; row < n_rows; row++) {
            const int64_t first = row < size ? 0 : row - size + 1;
            if (row >= size) {
                pairs -= overlaps_with(levels, ties, places, first, row, row - size);
                singles -= s->singles[places[row - size]];
            }
            pairs += overlaps_with(levels, ties, places, first, row, row);
            singles += s->singles[places[row]];
            if (row >= size - 1)
                *distances++ = (double)(singles + s->pair * pairs + s->all) * s->factor;
        }
        places += n_rows;
    }
}

/* As many as a window may have rows. */
#define MAX_ROWS 1000

/* Replaces numbers of at most 0 by exp(x), to within two units in the last place. The C library's function takes one number
 * at a time. */
SPECIALISED void exp_all(double *x, int64_t n)
{
    /* Adding 1.5 * 2**52 rounds to a whole number, which then is in the last bits. */
    const double shift = 6755399441055744.0, log2_of_e = 1.4426950408889634;
    /* log(2) in two parts: the product of the first and a whole number is exact. */
    const double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
    union {
        double numbers[MAX_ROWS];
        uint64_t bits[MAX_ROWS];
    } power;
    for (int64_t i = 0; i < n; i++) {
        /* exp(-700) is 1e-304: below, results would need numbers of reduced precision. */
        const double number = x[i] > -700.0 ? x[i] : -700.0;
        const double shifted = number * log2_of_e + shift, whole = shifted - shift;
        const double rest = (number - whole * ln2_high) - whole * ln2_low;
        /* Taylor's series: |rest| is at most log(2) / 2, so the next term would be below 1e-17. */
        double series = 1.0 / 6227020800.0;
        series = series * rest + 1.0 / 479001600.0;
        series = series * rest + 1.0 / 39916800.0;
        series = series * rest + 1.0 / 3628800.0;
        series = series * rest + 1.0 / 362880.0;
        series = series * rest + 1.0 / 40320.0;
        series = series * rest + 1.0 / 5040.0;
        series = series * rest + 1.0 / 720.0;
        series = series * rest + 1.0 / 120.0;
        series = series * rest + 1.0 / 24.0;
        series = series * rest + 1.0 / 6.0;
        series = series * rest + 0.5;
        series = series * rest + 1.0;
        x[i] = series * rest + 1.0;
        power.numbers[i] = shifted;
    }
    /* The whole number becomes the exponent of a power of two. */
    for (int64_t i = 0; i < n; i++)
        power.bits[i] = (power.bits[i] + 1023) << 52;
    for (int64_t i = 0; i < n; i++)
        x[i] *= power.numbers[i];
}

SPECIALISED void add_similarities(const double *points, int64_t n_streams, int64_t n_rows, int64_t n_features,
                                  int64_t size, double *with_earlier, double *with_later)
{
    double similar[MAX_ROWS];
    for (int64_t stream = 0; stream < n_streams; stream++) {
        for (int64_t row = 0; row < n_rows; row++) {
            const int64_t first = row < size ? 0 : row - size + 1, n = row - first;
            for (int64_t i = 0; i < n; i++)
                similar[i] = 0;
            int64_t feature = 0;
            /* Four features at a time, so that each sum is loaded and stored once for all four. */
            for (; feature + 4 <= n_features; feature += 4) {
                const double *values[4], *begin = points + feature * n_rows;
                for (int k = 0; k < 4; k++)
                    values[k] = begin + k * n_rows + first;
                for (int64_t i = 0; i < n; i++) {
                    double sum = similar[i];
                    for (int k = 0; k < 4; k++) {
                        const double difference = values[k][i] - begin[k * n_rows + row];
                        sum -= difference * difference;
                    }
                    similar[i] = sum;
                }
            }
            for (; feature < n_features; feature++) {
                const double *values = points + feature * n_rows + first, value = points[feature * n_rows + row];
                for (int64_t i = 0; i < n; i++)
                    similar[i] -= (values[i] - value) * (values[i] - value);
            }
            exp_all(similar, n);
            for (int64_t i = 0; i < n; i++)
                with_later[first + i] += similar[i];
            double sums[4] = {0};
            int64_t i = 0;
            for (; i + 4 <= n; i += 4)
                for (int lane = 0; lane < 4; lane++)
                    sums[lane] += similar[i + lane];
            for (; i < n; i++)
                sums[0] += similar[i];
            with_earlier[row] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        }
        points += n_rows * n_features;
        with_earlier += n_rows;
        with_later += n_rows;
    }
}

#if defined(__x86_64__)
#define FOR_AVX2 __attribute__((target("avx2"))) static

FOR_AVX2 void sum_streams_avx2(const rank_sums *s, const int32_t *places, int64_t n_streams, int64_t n_rows,
                               int64_t size, double *distances)
{
    sum_streams(s, places, n_streams, n_rows, size, distances);
}

FOR_AVX2 void add_similarities_avx2(const double *points, int64_t n_streams, int64_t n_rows, int64_t n_features,
                                    int64_t size, double *with_earlier, double *with_later)
{
    add_similarities(points, n_streams, n_rows, n_features, size, with_earlier, with_later);
}
#endif

/* `places` is n_streams x n_rows, `distances` is n_streams x (n_rows - size + 1); the other arguments are the members of rank_sums. */
void compute_rank_distances(const int16_t *levels, const int16_t *ties, const int64_t *singles, const int32_t *places,
                            int64_t n_streams, int64_t n_rows, int64_t size, int64_t pair, int64_t all, double factor,
                            double *distances)
{
    const rank_sums s = {levels, ties, singles, pair, all, factor};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        sum_streams_avx2(&s, places, n_streams, n_rows, size, distances);
        return;
    }
#endif
    sum_streams(&s, places, n_streams, n_rows, size, distances);
}

/* `points` is n_streams x n_features x n_rows; the similarity of two is exp(-|x - y|**2). The others are n_streams x n_rows:
 * the sum of each row's similarities with the rows of its window before it, and, which must be 0 before, with those that
 * have it in theirs. `size` is at most MAX_ROWS. */
void sum_window_similarities(const double *points, int64_t n_streams, int64_t n_rows, int64_t n_features, int64_t size,
                             double *with_earlier, double *with_later)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        add_similarities_avx2(points, n_streams, n_rows, n_features, size, with_earlier, with_later);
        return;
    }
#endif
    add_similarities(points, n_streams, n_rows, n_features, size, with_earlier, with_later);
}
