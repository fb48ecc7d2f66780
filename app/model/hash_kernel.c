/* Hashes rows of numbers, and finds hashes that occur more than once, for training/data/fast_hashes.py.
 *
 * The hashes are those of spark/row_keys.py, which computes them in NumPy where this library is missing.
 */
#include <stdint.h>
#include <string.h>

#define STEP 0x9E3779B97F4A7C15u
#define MISSING 0x7FF8000000000000u

/* The last step of SplitMix64. */
static inline uint64_t mix(uint64_t value)
{
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
    value = (value ^ value >> 27) * 0x94D049BB133111EBu;
    return value ^ value >> 31;
}

/* Computes the hash of each row and its key as the first of its kind; rows of column c are `steps[c]` numbers apart. */
void hash_numbers(const double *const *columns, const int64_t *steps, int64_t n_columns, int64_t n_rows, uint64_t seed,
                  uint64_t *hashes, uint64_t *keys)
{
    for (int64_t row = 0; row < n_rows; row++) {
        uint64_t hash = mix(seed);
        for (int64_t column = 0; column < n_columns; column++) {
            const double number = columns[column][row * steps[column]] + 0.0; /* makes 0.0 of -0.0 */
            uint64_t bits;
            memcpy(&bits, &number, sizeof bits);
            hash = mix((hash ^ (number == number ? bits : MISSING)) + STEP);
        }
        hashes[row] = hash;
        keys[row] = mix(hash + STEP);
    }
}

/* Sorts hashes by one byte, which is `shift` bits from the right; `ends` has the end of each of the 256 parts. */
void divide_hashes(const uint64_t *hashes, int64_t n, int64_t shift, uint64_t *divided, int64_t *ends)
{
    int64_t counts[256] = {0}, next[256], begin = 0;
    for (int64_t i = 0; i < n; i++)
        counts[hashes[i] >> shift & 255]++;
    for (int part = 0; part < 256; part++) {
        next[part] = begin;
        begin += counts[part];
        ends[part] = begin;
    }
    for (int64_t i = 0; i < n; i++)
        divided[next[hashes[i] >> shift & 255]++] = hashes[i];
}

/* Copies the hashes that are equal to an earlier one of their part, and counts them. `table` has room for twice as many
 * hashes as the largest part has, rounded up to a power of two. */
void find_copies(const uint64_t *divided, const int64_t *ends, uint64_t *table, uint64_t *copies, int64_t *n_copies)
{
    int64_t begin = 0, n_found = 0;
    for (int part = 0; part < 256; part++) {
        int has_zero = 0; /* which would look like an empty slot */
        uint64_t n_slots = 1;
        while (n_slots < 2 * (uint64_t)(ends[part] - begin))
            n_slots *= 2;
        memset(table, 0, n_slots * sizeof *table);
        for (int64_t i = begin; i < ends[part]; i++) {
            const uint64_t hash = divided[i];
            uint64_t slot = hash & (n_slots - 1);
            while (table[slot] && table[slot] != hash)
                slot = (slot + 1) & (n_slots - 1);
            if (hash ? table[slot] == hash : has_zero)
                copies[n_found++] = hash;
            has_zero |= !hash;
            table[slot] = hash;
        }
        begin = ends[part];
    }
    *n_copies = n_found;
}
