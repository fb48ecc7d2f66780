/* The part of explain_kernel.c that computes in lanes; included once for each number of LANES.
 *
 * SUFFIXED appends the number of lanes to a name, so that the copies do not collide.
 */
#define lanes SUFFIXED(lanes)
#define mask SUFFIXED(mask)
#define walk SUFFIXED(walk)
#define visitor SUFFIXED(visitor)
#define visit SUFFIXED(visit)
#define visit_1 SUFFIXED(visit_1)
#define visit_2 SUFFIXED(visit_2)
#define visit_3 SUFFIXED(visit_3)
#define visit_4 SUFFIXED(visit_4)
#define visit_any SUFFIXED(visit_any)
#define explain_lanes SUFFIXED(explain_lanes)
#define explain_all SUFFIXED(explain_all)

/* Aligned like its numbers, so that any array can hold it. */
typedef double lanes __attribute__((vector_size(8 * LANES), aligned(8)));
typedef int64_t mask __attribute__((vector_size(8 * LANES), aligned(8)));

typedef struct {
    const explain_node *nodes;
    lanes values[MAX_FEATURES], passes[MAX_FEATURES], shapley[MAX_FEATURES];
    const lanes *points;
    int width; /* lanes of each node */
} walk;

typedef void visitor(walk *w, int32_t at, uint32_t failed, const lanes *above, lanes *below, lanes *work);

static inline __attribute__((always_inline)) void visit(walk *restrict w, int32_t at, uint32_t failed,
                                                        const lanes *restrict above, lanes *restrict below,
                                                        lanes *restrict work, const int width, visitor *self)
{
    const explain_node *restrict here = w->nodes + at;
    const lanes value = w->values[here->feature], before = w->passes[here->feature];
    const mask to_right = (value > (double)here->threshold) | ((value != value) & (int64_t)here->missing_right);
    const lanes *restrict points = w->points;
    lanes *restrict inverse = work, *restrict childs_above = work + width, *restrict childs_below = work + 2 * width;
    lanes sum = {0};
    for (int i = 0; i < width; i++) {
        inverse[i] = 1 / (before * points[i] + here->zero_before * (1 - points[i]));
        below[i] = (lanes){0};
    }
    for (int side = 0; side < 2; side++) {
        const mask passing = side ? to_right : ~to_right;
        const lanes now = (lanes)((mask)before & passing);
        const mask any = (mask)now;
        int64_t some = 0;
        for (int lane = 0; lane < LANES; lane++)
            some |= any[lane];
        const uint32_t failed_now = some ? failed : failed | bit_of(here->feature);
        const double zero = here->zero[side];
        const lanes change = now * here->zero_before - zero;
        if (here->tested[side] & ~failed_now) {
            for (int i = 0; i < width; i++)
                childs_above[i] = above[i] * inverse[i] * (now * points[i] + zero * (1 - points[i]));
            w->passes[here->feature] = now;
            self(w, child_of(w->nodes, at, side), failed_now, childs_above, childs_below, work + WORK_BLOCKS * width);
        } else
            for (int i = 0; i < width; i++)
                childs_below[i] = here->expected[side] + (lanes){0};
        for (int i = 0; i < width; i++) {
            const lanes share = inverse[i] * childs_below[i];
            below[i] += share * (now * points[i] + zero * (1 - points[i]));
            /* Replacing the feature's factor before this test by the one behind it. */
            sum += change * share * inverse[i] * above[i];
        }
    }
    w->passes[here->feature] = before;
    w->shapley[here->feature] += before * sum;
}

#define VISITOR(name, width)                                                                                           \
    static void name(walk *w, int32_t at, uint32_t failed, const lanes *above, lanes *below, lanes *work)              \
    {                                                                                                                  \
        visit(w, at, failed, above, below, work, width, name);                                                         \
    }
VISITOR(visit_1, 1)
VISITOR(visit_2, 2)
VISITOR(visit_3, 3)
VISITOR(visit_4, 4)
VISITOR(visit_any, w->width)
#undef VISITOR

/* Computes the Shapley values of the first LANES rows, or of a single one, whose lanes are points. */
static void explain_lanes(const explain_forest *f, const float *rows, int single, double *values)
{
    const int width = single ? (f->n_points + LANES - 1) / LANES : f->n_points;
    visitor *const visitors[] = {visit_any, visit_1, visit_2, visit_3, visit_4};
    visitor *const chosen = visitors[width <= 4 ? width : 0];
    lanes points[width], weights[width], root[width], work[WORK_BLOCKS * width * (MAX_LEVELS + 1)];
    for (int i = 0; i < width; i++)
        for (int lane = 0; lane < LANES; lane++) {
            points[i][lane] = f->points[single ? i * LANES + lane : i];
            weights[i][lane] = f->weights[single ? i * LANES + lane : i];
        }
    walk w;
    w.nodes = f->nodes, w.points = points, w.width = width;
    for (int32_t feature = 0; feature < f->n_features; feature++) {
        for (int lane = 0; lane < LANES; lane++)
            w.values[feature][lane] = rows[(single ? 0 : lane * f->n_features) + feature];
        w.passes[feature] = 1 + (lanes){0};
        w.shapley[feature] = (lanes){0};
    }
    for (int32_t tree = 0; tree < f->n_trees; tree++)
        if (f->roots[tree] >= 0)
            chosen(&w, f->roots[tree], 0, weights, root, work);
    for (int32_t feature = 0; feature < f->n_features; feature++) {
        double sum = 0;
        for (int lane = 0; lane < LANES; lane++)
            if (single)
                sum += w.shapley[feature][lane];
            else
                values[lane * f->n_features + feature] = w.shapley[feature][lane];
        if (single)
            values[feature] = sum;
    }
}

/* Rows side by side, and what remains one by one. */
static void explain_all(const explain_forest *f, const float *rows, int64_t n_rows, double *values)
{
    int64_t row = 0;
    for (; row + LANES <= n_rows; row += LANES)
        explain_lanes(f, rows + row * f->n_features, 0, values + row * f->n_features);
    for (; row < n_rows; row++)
        explain_lanes(f, rows + row * f->n_features, 1, values + row * f->n_features);
}
