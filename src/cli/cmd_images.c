/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/output.h"
#include "cli/subject.h"

#include <stdlib.h>
#include <string.h>

#include "fmnist/mem.h"
#include "fmnist/rng.h"

enum { ORDER_IMAGE, ORDER_SURE, ORDER_UNSURE, ORDER_RANDOM };
static const char *const ORDERS[] = {"image", "sure", "unsure", "random", NULL};
static const char *const SIZES[] = {"full", "sheet", NULL};

static const struct cli_option OPTIONS[] = {
    {.name = "wrong", .help = "only images that the run gets wrong"},
    {.name = "truth",
     .type = CLI_TEXT,
     .arg = "CLASS",
     .help = "only images of a class: digit, name or unique prefix"},
    {.name = "predicted",
     .type = CLI_TEXT,
     .arg = "CLASS",
     .help = "only images that the run takes for a class"},
    {.name = "count",
     .letter = 'n',
     .type = CLI_INT,
     .arg = "N",
     .min = 1,
     .max = 1000000,
     .help = "how many",
     .preset = "6; with --json or --csv all"},
    {.name = "order",
     .type = CLI_CHOICE,
     .arg = "ORDER",
     .choices = ORDERS,
     .help = "by image number, most or least confident first, or shuffled",
     .preset = "image"},
    {.name = "seed",
     .type = CLI_INT,
     .arg = "N",
     .min = 0,
     .max = 9007199254740991.0,
     .help = "of --order random",
     .preset = "1"},
    {.name = "size",
     .type = CLI_CHOICE,
     .arg = "SIZE",
     .choices = SIZES,
     .help = "28 x 14 or 14 x 7 character cells an image",
     .preset = "full where it fits"},
    {0}};

/* Which rows of the predictions to show, in order. */
struct selection {
    uint32_t n;
    uint32_t *at; /* indices into the predictions */
};

static float
confidence(const struct predictions *p, uint32_t i)
{
    return p->p[i * N_CLASSES + p->predicted[i]];
}

/* qsort has no argument: the keys travel with the indices. */
struct keyed {
    float key;
    uint32_t at;
};

static int
by_key(const void *a, const void *b)
{
    const struct keyed *x = a, *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return (x->at > y->at) - (x->at < y->at);
}

static int
order_selection(struct selection *s, const struct predictions *p, int order,
                uint64_t seed, struct err *e)
{
    if (order == ORDER_IMAGE) {
        return 0;
    }
    if (order == ORDER_RANDOM) {
        struct rng r = {seed, RNG_SAMPLE, 0};
        rng_shuffle(&r, s->at, s->n);
        return 0;
    }
    struct keyed *k = mem_zalloc(s->n ? s->n : 1, sizeof(*k));
    if (!k) {
        return err_nomem(e, "sorting the images", s->n * sizeof(*k));
    }
    for (uint32_t i = 0; i < s->n; i++) {
        float v = confidence(p, s->at[i]);
        k[i].key = order == ORDER_SURE ? -v : v;
        k[i].at = s->at[i];
    }
    qsort(k, s->n, sizeof(*k), by_key);
    for (uint32_t i = 0; i < s->n; i++) {
        s->at[i] = k[i].at;
    }
    mem_free(k);
    return 0;
}

/* A class option's value: -1 where it was not given. */
static int
class_option(const struct cli *c, const char *option, const struct subject *s,
             int *out, struct err *e)
{
    const char *text = cli_text(c, option);
    *out = -1;
    if (!text) {
        return 0;
    }
    *out = dataset_class(s->data.class_names, text, e);
    return *out < 0 ? err_wrap(e, *out, "--%s", option) : 0;
}

static int
select_images(struct cli *c, const struct subject *s,
              const struct predictions *p, struct selection *out, struct err *e)
{
    int truth = -1, predicted = -1, wrong = cli_given(c, "wrong");
    int rc = class_option(c, "truth", s, &truth, e);
    if (!rc) {
        rc = class_option(c, "predicted", s, &predicted, e);
    }
    if (rc) {
        return rc;
    }
    out->at = mem_zalloc(p->n ? p->n : 1, sizeof(*out->at));
    if (!out->at) {
        return err_nomem(e, "the list of images", p->n * sizeof(*out->at));
    }
    for (uint32_t i = 0; i < p->n; i++) {
        if ((truth < 0 || p->truth[i] == truth) &&
            (predicted < 0 || p->predicted[i] == predicted) &&
            (!wrong || p->truth[i] != p->predicted[i])) {
            out->at[out->n++] = i;
        }
    }
    return order_selection(out, p, cli_choice(c, "order", ORDER_IMAGE),
                           (uint64_t)cli_int(c, "seed", 1), e);
}

/* "MARK NAME END", the name in what columns the others leave. */
static void
fill_caption(char *out, size_t n, const char *mark, const char *name,
             const char *end, int cols, int ascii)
{
    struct str b;
    str_init(&b);
    str_add(&b, mark);
    str_add_fit(&b, name, cols - str_width(mark) - str_width(end), ascii);
    while (b.len > 0 && b.s[b.len - 1] == ' ') {
        b.s[--b.len] = '\0';
    }
    str_add(&b, end);
    snprintf(out, n, "%s", b.s);
    str_release(&b);
}

static void
fill_captions(struct art_tile *t, const struct subject *s, uint32_t image,
              int truth, int predicted, double sure, enum art_size size,
              int ascii)
{
    const char *mark =
        truth == predicted ? (ascii ? "+ " : "✓ ") : (ascii ? "x " : "✗ ");
    char number[24] = "", percent[16];

    if (size == ART_FULL) {
        snprintf(number, sizeof(number), " (image %u)", image);
    }
    snprintf(percent, sizeof(percent), " %.0f%%", 100 * sure);
    fill_caption(t->truth, sizeof(t->truth), "", s->data.class_names[truth],
                 number, art_cols(size), ascii);
    fill_caption(t->predicted, sizeof(t->predicted), mark,
                 s->data.class_names[predicted], percent, art_cols(size),
                 ascii);
    t->wrong = truth != predicted;
}

/* ": 6 of 252 images chosen among 1200". */
static void
add_counts(struct str *b, uint32_t drawn, uint32_t chosen, uint32_t all)
{
    if (chosen == 0) {
        str_addf(b, ": none of %u test images is chosen\n", all);
    } else if (chosen < all) {
        str_addf(b, ": %u of %u images chosen among %u\n\n", drawn, chosen,
                 all);
    } else {
        str_addf(b, ": %u of %u test images\n\n", drawn, all);
    }
}

static int
draw(struct cli *c, const struct subject *s, const struct predictions *p,
     const struct selection *sel, struct err *e)
{
    struct art_style style = subject_style(c);
    int width = cli_width(c->out) > 0 ? cli_width(c->out) : 80;
    enum art_size size = (enum art_size)cli_choice(
        c, "size", width < art_cols(ART_FULL) ? ART_SHEET : ART_FULL);
    uint32_t n = (uint32_t)cli_int(c, "count", 6);
    struct str b;
    int rc = 0;

    n = n < sel->n ? n : sel->n;
    struct art_tile *tiles = mem_zalloc(n ? n : 1, sizeof(*tiles));
    if (!tiles) {
        return err_nomem(e, "the images", n * sizeof(*tiles));
    }
    for (uint32_t i = 0; !rc && i < n; i++) {
        uint32_t at = sel->at[i];
        uint8_t label;
        rc = store_image(c->store, s->data.id, p->images[at], tiles[i].pixels,
                         &label, e);
        fill_captions(&tiles[i], s, p->images[at], p->truth[at],
                      p->predicted[at], confidence(p, at), size, c->ascii);
    }
    str_init(&b);
    if (!rc) {
        subject_add_name(&b, &s->run);
        add_counts(&b, n, sel->n, p->n);
        art_tiles(tiles, (int)n, size, &style, width, &b);
        rc = output_text(c, &b, e);
    }
    str_release(&b);
    mem_free(tiles);
    return rc;
}

static int
list(struct cli *c, const struct subject *s, const struct predictions *p,
     const struct selection *sel, struct err *e)
{
    static const char *const P[N_CLASSES] = {"p0", "p1", "p2", "p3", "p4",
                                             "p5", "p6", "p7", "p8", "p9"};
    static const struct output_spec spec = {.id = "image"};
    uint32_t n = (uint32_t)cli_int(c, "count", sel->n);
    struct output *o;
    int rc = output_open(c, &spec, &o, e);

    for (uint32_t i = 0; !rc && i < n && i < sel->n; i++) {
        uint32_t at = sel->at[i];
        struct row_builder b;
        row_begin(&b);
        row_int(&b, "image", p->images[at]);
        row_int(&b, "truth", p->truth[at]);
        row_int(&b, "predicted", p->predicted[at]);
        row_text(&b, "truth_name", s->data.class_names[p->truth[at]]);
        row_text(&b, "predicted_name", s->data.class_names[p->predicted[at]]);
        row_real(&b, "confidence", confidence(p, at));
        for (int k = 0; k < N_CLASSES; k++) {
            row_real(&b, P[k], p->p[at * N_CLASSES + k]);
        }
        rc = output_row(&b.row, o, e);
    }
    if (rc) {
        output_free(o);
        return rc;
    }
    return output_close(o, e);
}

/* No option is taken and ignored. */
static int
check_options(const struct cli *c, enum output_mode *mode, struct err *e)
{
    int rc = output_mode(c, mode, e);
    if (rc) {
        return rc;
    }
    if (*mode == OUTPUT_TABLE && cli_given(c, "columns")) {
        return err_set(e, ERR_USAGE, "--columns goes with --json or --csv");
    }
    if (*mode != OUTPUT_TABLE && cli_given(c, "size")) {
        return err_set(e, ERR_USAGE,
                       "--size is for drawing; it excludes "
                       "--json, --csv and -q");
    }
    if (cli_given(c, "seed") && cli_choice(c, "order", 0) != ORDER_RANDOM) {
        return err_set(e, ERR_USAGE, "--seed goes with --order random");
    }
    return 0;
}

static int
run_images(struct cli *c, struct err *e)
{
    struct subject s;
    struct predictions p = {0};
    struct selection sel = {0};
    enum output_mode mode = OUTPUT_TABLE;

    int rc = check_options(c, &mode, e);
    if (!rc) {
        rc = subject_load(c, c->argv[0], &s, e);
    }
    if (!rc) {
        rc = store_predictions(c->store, s.run.id, &p, e);
    }
    if (rc == ERR_NOTFOUND && strcmp(s.run.status, "running") == 0) {
        rc = err_set(e, rc,
                     "run %lld is running: its predictions are stored when it "
                     "ends",
                     (long long)s.run.id);
    }
    if (!rc) {
        rc = select_images(c, &s, &p, &sel, e);
    }
    if (!rc) {
        rc = mode == OUTPUT_TABLE ? draw(c, &s, &p, &sel, e)
                                  : list(c, &s, &p, &sel, e);
    }
    mem_free(sel.at);
    predictions_release(&p);
    return rc;
}

const struct cli_command cmd_images = {
    .name = "images",
    .operands = "RUN",
    .summary = "draw test images with true and predicted label",
    .group = GROUP_EVALUATE,
    .options = OPTIONS,
    .takes = CLI_TAKES_OUTPUT,
    .min = 1,
    .max = 1,
    .examples = "fmnist-tui images @best --wrong -n 12 --order sure\n"
                "fmnist-tui images 7 --truth shirt --predicted coat\n",
    .run = run_images,
};
