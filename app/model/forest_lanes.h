/* The part of forest_kernel.c that computes in lanes; included once for each number of LANES.
 *
 * A row's leaf is found without branches and without loading what depends on the row. Each row has the number of a leaf,
 * at first 0, the leftmost. Nodes are visited from the root on: a row is below a node if its leaf is the first below the
 * node, and if its value is greater than the threshold, it moves to the first leaf on the right. So all lanes visit all
 * nodes, which takes less time than walking through one node in each level: a vector needs four instructions for a node.
 *
 * Values and thresholds are compared by rank, in one byte: a value's rank is the number of thresholds that are less. As
 * many trees as have at most 254 different thresholds of each feature make a group with ranks of its own. A search among all
 * thresholds of a part gives a value's place, and from that a table gives its rank in each group.
 *
 * SUFFIXED appends the number of lanes to a name, so that the copies do not collide.
 */
#define ranks_of_rows SUFFIXED(ranks_of_rows)
#define leaves_of_rows SUFFIXED(leaves_of_rows)
#define find_leaves SUFFIXED(find_leaves)
#define add_part SUFFIXED(add_part)

typedef int8_t ranks_of_rows __attribute__((vector_size(LANES), aligned(1), may_alias));
typedef uint8_t leaves_of_rows __attribute__((vector_size(LANES), aligned(1), may_alias));

/* Finds the leaves of a block of rows in one tree; the ranks of a feature are next to each other. Lanes behind the last
 * row compute with what is in memory; their leaves are not used. */
SPECIALISED void find_leaves(const ranked_node *begin, const ranked_node *end, const int8_t *ranks, int64_t n_rows,
                             int missing, uint8_t *leaves)
{
    for (int64_t row = 0; row < n_rows; row += VECTORS * LANES) {
        leaves_of_rows at[VECTORS];
        for (int i = 0; i < VECTORS; i++)
            at[i] = (leaves_of_rows){0};
        for (const ranked_node *here = begin; here < end; here++) {
            const int8_t *own = ranks + here->feature * BLOCK_ROWS + row;
            for (int i = 0; i < VECTORS; i++) {
                const ranks_of_rows value = *(const ranks_of_rows *)(own + i * LANES);
                ranks_of_rows moves = (value > here->rank) & (at[i] == here->first);
                if (missing)
                    moves &= value <= here->greatest;
                at[i] += (leaves_of_rows)moves & here->leaves_on_left;
            }
        }
        for (int i = 0; i < VECTORS; i++)
            *(leaves_of_rows *)(leaves + row + i * LANES) = at[i];
    }
}

/* Adds the path lengths of a block of rows in all trees of a part; rows of 256 features take 400 KB of the stack. */
static void add_part(const part *p, int32_t n_features, const float *rows, int64_t n_rows, int missing, double *sums)
{
    uint16_t places[n_features * BLOCK_ROWS];
    int8_t ranks[n_features * BLOCK_ROWS];
    uint8_t leaves[TREES_AT_ONCE * BLOCK_ROWS];
    for (int32_t feature = 0; feature < n_features; feature++) {
        const int32_t first = p->first_thresholds[feature];
        find_places(p->thresholds + first, p->first_thresholds[feature + 1] - first, rows + feature, n_features, n_rows,
                    places + feature * BLOCK_ROWS);
    }
    const int8_t *table = p->ranks;
    for (int32_t tree = 0; tree < p->n_trees; tree++) {
        if (tree % p->trees_in_group == 0)
            for (int32_t feature = 0; feature < n_features; feature++) {
                for (int64_t row = feature * BLOCK_ROWS; row < feature * BLOCK_ROWS + n_rows; row++)
                    ranks[row] = table[places[row]];
                /* Places are 0 to the number of thresholds, and one more for missing values. */
                table += p->first_thresholds[feature + 1] - p->first_thresholds[feature] + 2;
            }
        const ranked_node *begin = p->nodes + p->first_nodes[tree], *end = p->nodes + p->first_nodes[tree + 1];
        uint8_t *own = leaves + tree % TREES_AT_ONCE * BLOCK_ROWS;
        if (missing)
            find_leaves(begin, end, ranks, n_rows, 1, own);
        else
            find_leaves(begin, end, ranks, n_rows, 0, own);
        if (tree % TREES_AT_ONCE == TREES_AT_ONCE - 1)
            add_leaves(p, tree - (TREES_AT_ONCE - 1), TREES_AT_ONCE, leaves, n_rows, sums);
        else if (tree == p->n_trees - 1)
            for (int32_t last = tree - tree % TREES_AT_ONCE; last <= tree; last++)
                add_leaves(p, last, 1, leaves + last % TREES_AT_ONCE * BLOCK_ROWS, n_rows, sums);
    }
}
