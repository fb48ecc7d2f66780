/* Adds up the overlaps of all pairs of rows in each full window of streams of ranks, for training/drift/simulate.py.
 *
 * When a window slides, its sum changes by the pairs of the row that enters and of the row that leaves. The overlap of two
 * rows is the smaller of their levels, less the tie of equal ones; all are whole numbers, so sums are the same on every
 * CPU. The copy for AVX2 compares sixteen levels at a time instead of eight.
 */
#include <stdint.h>

#define SPECIALISED static inline __attribute__((always_inline))

/* The sum of the overlaps of one row with those from `first` to before `end`; at most 1,000 of them, each below 2**15. */
SPECIALISED int32_t overlaps_with(const int16_t *levels, const int16_t *ties, const int32_t *values, int64_t first,
                                  int64_t end, int64_t row)
{
    const int16_t level = levels[row];
    int32_t sum = 0;
    for (int64_t other = first; other < end; other++)
        sum += levels[other] < level ? levels[other] : level;
    if (ties[row]) {
        int32_t equal = 0;
        for (int64_t other = first; other < end; other++)
            equal += values[other] == values[row];
        sum -= ties[row] * equal;
    }
    return sum;
}

SPECIALISED void sum_streams(const int16_t *levels, const int16_t *ties, const int32_t *values, int64_t n_streams,
                             int64_t n_rows, int64_t size, int64_t *sums)
{
    for (int64_t stream = 0; stream < n_streams; stream++) {
        int64_t sum = 0;
        for (int64_t row = 0; row < n_rows; row++) {
            const int64_t first = row < size ? 0 : row - size + 1;
            if (row >= size)
                sum -= overlaps_with(levels, ties, values, first, row, row - size);
            sum += overlaps_with(levels, ties, values, first, row, row);
            if (row >= size - 1)
                *sums++ = sum;
        }
        levels += n_rows;
        ties += n_rows;
        values += n_rows;
    }
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void sum_streams_avx2(const int16_t *levels, const int16_t *ties,
                                                             const int32_t *values, int64_t n_streams, int64_t n_rows,
                                                             int64_t size, int64_t *sums)
{
    sum_streams(levels, ties, values, n_streams, n_rows, size, sums);
}
#endif

/* `levels`, `ties` and `values` are n_streams x n_rows; `sums` is n_streams x (n_rows - size + 1). */
void sum_window_overlaps(const int16_t *levels, const int16_t *ties, const int32_t *values, int64_t n_streams,
                         int64_t n_rows, int64_t size, int64_t *sums)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        sum_streams_avx2(levels, ties, values, n_streams, n_rows, size, sums);
        return;
    }
#endif
    sum_streams(levels, ties, values, n_streams, n_rows, size, sums);
}
