/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "cli/enqueue.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/new_run.h"
#include "cli/output.h"
#include "cli/runs.h"
#include "cli/workers.h"
#include "fmnist/mem.h"
#include "fmnist/runner.h"
#include "fmnist/store_queue.h"

/* In the grid, the set of a row: its id follows.  Nobody types it. */
#define SET_OF_ROW "\001"

const struct cli_option ENQUEUE_OPTIONS[] = {
    {.name = "random",
     .type = CLI_INT,
     .arg = "N",
     .min = 1,
     .max = GRID_MAX_RUNS,
     .help = "draw N runs from the lists and ranges instead of all"},
    {.name = "random-seed",
     .type = CLI_INT,
     .arg = "S",
     .min = 0,
     .max = 9007199254740991.0,
     .preset = "0",
     .help = "which runs --random draws"},
    WORKERS_START,
    {.name = "dry-run", .help = "only list the runs, with time and size"},
    {.name = "skip-existing",
     .help = "leave out runs that exist: finished, running, queued or paused"},
    {.name = NULL},
};

/* ---- what was typed ------------------------------------------------------ */

/* The options that may have several values, in the order typed; of one that is
 * repeated the last counts. */
static int
grid_options(const struct cli *c, struct grid_option out[CLI_MAX_OPTIONS])
{
    static const char *const OTHERS[] = {"hidden", "filters", "data"};
    int n = 0;
    for (int i = 0; i < c->n_values; i++) {
        const struct cli_option *o = c->values[i].option;
        int takes = o->field != NULL;
        int last = 1;
        for (size_t k = 0; k < sizeof OTHERS / sizeof OTHERS[0]; k++) {
            takes |= strcmp(o->name, OTHERS[k]) == 0;
        }
        for (int k = i + 1; k < c->n_values; k++) {
            last &= c->values[k].option != o;
        }
        if (takes && last) {
            const char *text = c->values[i].text;
            out[n++] = (struct grid_option){
                .name = o->name,
                .text = text ? text : "1",
                .single =
                    strcmp(o->name, "data") == 0 && access(text, F_OK) == 0,
            };
        }
    }
    return n;
}

/* For all bases. */
static struct grid_request
request(const struct cli *c, struct grid_option options[CLI_MAX_OPTIONS])
{
    return (struct grid_request){
        .options = options,
        .n_options = grid_options(c, options),
        .draws = cli_int(c, "random", 0),
        .seed = (uint64_t)cli_int(c, "random-seed", 0),
    };
}

int
enqueue_check(const struct cli *c, struct err *e)
{
    struct grid_option options[CLI_MAX_OPTIONS];
    struct grid_request q = request(c, options);
    struct hyper any;
    int dry = cli_given(c, "dry-run");
    if (cli_given(c, "random-seed") && !cli_given(c, "random")) {
        return err_set(e, ERR_USAGE,
                       "--random-seed: has no effect without --random N");
    }
    if (dry && cli_given(c, "start")) {
        return err_set(e, ERR_USAGE, "--dry-run queues nothing to --start");
    }
    if (dry && cli_given(c, "-q")) {
        return err_set(e, ERR_USAGE, "-q: the runs of --dry-run have no ids");
    }
    enum output_mode mode;
    int rc = output_mode(c, &mode, e);
    if (rc == 0) {
        rc = hyper_preset("ann", &any, e);
    }
    q.base = &any;
    return rc ? rc : grid_check(&q, e);
}

static int
make_grid(struct plan *p, const struct enqueue_base *bases, size_t n,
          struct err *e)
{
    struct grid_option options[CLI_MAX_OPTIONS];
    struct grid_request q = request(p->c, options);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        char data[32] = "small";
        if (bases[i].dataset_id) {
            snprintf(data, sizeof data, SET_OF_ROW "%" PRId64,
                     bases[i].dataset_id);
        }
        q.base = &bases[i].h;
        q.data = data;
        rc = grid_add(&p->grid, &q, e);
        if (rc && n > 1) {
            rc = err_wrap(e, rc, "run %" PRId64, bases[i].run);
        }
    }
    if (rc == 0 && q.draws > 0 && p->grid.n < (size_t)q.draws * n) {
        cli_message(p->c, "only %zu different runs are found", p->grid.n);
    }
    if (rc == 0 && p->grid.repeated > 0) {
        cli_message(p->c, "%zu %s that repeat others are left out",
                    p->grid.repeated,
                    p->grid.repeated == 1 ? "combination" : "combinations");
    }
    return rc;
}

/* ---- what they need ------------------------------------------------------ */

/* Reads set i whole. */
static int
load_set(struct plan *p, int i, struct err *e)
{
    const char *word = p->grid.sets[i];
    struct planned_set *s = &p->sets[i];
    long long id = 0;
    int rc;
    if (word[0] == SET_OF_ROW[0] && str_to_i64(word + 1, &id) == 0) {
        rc = runner_dataset(p->c->store, id, &s->d, e);
    } else {
        rc = runner_data(p->c->store, word, &s->d, e);
    }
    for (int k = 0; rc == 0 && k < i; k++) {
        if (strcmp(p->sets[k].d->sha256, s->d->sha256) == 0) {
            rc = err_set(e, ERR_USAGE,
                         "--data: \"%.80s\" and \"%.80s\" are the same images",
                         p->grid.sets[k], word);
        }
    }
    return rc;
}

/* Which sets the database knows by now. */
static int
find_sets(struct plan *p, struct err *e)
{
    int rc = 0;
    for (int i = 0; rc == 0 && p->c->store && i < p->grid.n_sets; i++) {
        struct planned_set *s = &p->sets[i];
        rc = store_dataset_known(p->c->store, s->d->sha256, &s->id, e);
    }
    return rc;
}

/* The sizes of the parts do not depend on the seed of the split: what was found
 * for one run holds for others. */
static int
check_sizes(const struct plan *p, size_t i, struct err *e)
{
    struct planned *r = &p->runs[i];
    const struct planned *other = r;
    while (other > p->runs) {
        other--;
        if (other->set == r->set &&
            other->h->test_fraction == r->h->test_fraction &&
            other->h->val_fraction == r->h->val_fraction) {
            struct split s = {0};
            memcpy(s.n, other->n, sizeof s.n);
            memcpy(r->n, other->n, sizeof r->n);
            return trainer_check(r->h, &s, e);
        }
    }
    return new_run_check(p->sets[r->set].d, r->h, r->n, e);
}

static void
make_name(const struct plan *p, size_t i, struct planned *r)
{
    const char *given = cli_text(p->c, "name");
    struct str made;
    str_init(&made);
    if (given && p->grid.n == 1) {
        str_add(&made, given);
    } else if (given) {
        str_addf(&made, "%s %zu", given, i + 1);
    } else {
        hyper_name(r->h, &made);
    }
    snprintf(r->name, sizeof r->name, "%s", made.s);
    str_release(&made);
}

static int
settle(struct plan *p, size_t i, struct err *e)
{
    const struct grid_run *from = &p->grid.runs[i];
    struct planned *r = &p->runs[i];
    r->h = &p->grid.runs[i].h;
    r->set = from->set;
    r->threads = (int)cli_int(p->c, "threads", p->bases[from->request].threads);
    int rc = new_run_test_part(p->c, p->sets[r->set].d, r->h, e);
    make_name(p, i, r);
    if (rc == 0) {
        rc = check_sizes(p, i, e);
    }
    if (rc && p->grid.n > 1) {
        rc = err_wrap(e, rc, "run %zu of %zu, \"%s\"", i + 1, p->grid.n,
                      r->name);
    }
    return rc;
}

static int
prepare(struct plan *p, struct err *e)
{
    size_t n = p->grid.n;
    int rc = 0;
    p->runs = mem_zalloc(n, sizeof *p->runs);
    p->sets = mem_zalloc((size_t)p->grid.n_sets, sizeof *p->sets);
    if (!p->runs || !p->sets) {
        return err_nomem(e, "the runs", n * sizeof *p->runs);
    }
    for (int i = 0; rc == 0 && i < p->grid.n_sets; i++) {
        rc = load_set(p, i, e);
    }
    if (rc == 0) {
        rc = find_sets(p, e);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = settle(p, i, e);
    }
    return rc;
}

/* ---- into the database --------------------------------------------------- */

/* Which runs exist already. */
static int
find_twins(struct plan *p, struct err *e)
{
    int rc = find_sets(p, e);
    p->twins = 0;
    for (size_t i = 0; rc == 0 && p->c->store && i < p->grid.n; i++) {
        struct planned *r = &p->runs[i];
        struct run_ids ids = {0};
        struct run run;
        if (p->sets[r->set].id == 0) {
            continue;
        }
        rc = store_run_twins(p->c->store, r->h, p->sets[r->set].id, &ids, e);
        if (rc == 0 && ids.n > 0) {
            rc = store_run_get(p->c->store, ids.ids[0], &run, e);
        }
        if (rc == 0 && ids.n > 0) {
            r->twin = ids.ids[0];
            memcpy(r->twin_status, run.status, sizeof r->twin_status);
            p->twins++;
        }
        mem_free(ids.ids);
    }
    return rc;
}

/* The call, as far as it decides which runs there are. */
static void
typed(const struct cli *c, struct str *out)
{
    str_addf(out, "fmnist-tui %s", c->command->name);
    for (int i = 0; i < c->n_values; i++) {
        const struct cli_option *o = c->values[i].option;
        if (o->section == CLI_OUTPUT || o->section == CLI_GLOBAL ||
            strcmp(o->name, "start") == 0) {
            continue;
        }
        str_addf(out, " --%s", o->name);
        if (c->values[i].text) {
            str_addc(out, o->type == CLI_FLAG ? '=' : ' ');
            str_add_shell(out, c->values[i].text);
        }
    }
    for (int i = 0; i < c->argc; i++) {
        str_addc(out, ' ');
        str_add_shell(out, c->argv[i]);
    }
}

static int
insert_sweep(const struct plan *p, int64_t *id, struct err *e)
{
    struct str command;
    str_init(&command);
    typed(p->c, &command);
    int rc = str_failed(&command)
                 ? err_nomem(e, "the command", command.cap)
                 : store_sweep_insert(p->c->store, cli_text(p->c, "name"),
                                      command.s, id, e);
    str_release(&command);
    return rc;
}

static int
insert_run(struct plan *p, struct planned *r, struct run_new *n, struct err *e)
{
    struct planned_set *s = &p->sets[r->set];
    int rc = 0;
    if (!s->put) {
        rc = store_dataset_put(p->c->store, s->d, &s->id, e);
        s->put = 1;
    }
    n->name = cli_given(p->c, "name") ? r->name : NULL;
    n->h = r->h;
    n->dataset_id = s->id;
    n->threads = r->threads;
    return rc ? rc : store_run_insert(p->c->store, n, &r->id, e);
}

static int
insert_left(struct plan *p, struct err *e)
{
    struct run_new n;
    const char **tags;
    size_t left = p->grid.n - (p->skip ? p->twins : 0);
    int rc = new_run_init(p->c, &n, &tags, e);
    if (rc == 0 && left > 1) {
        rc = insert_sweep(p, &n.sweep_id, e);
    }
    for (size_t i = 0; rc == 0 && i < p->grid.n; i++) {
        if (!plan_skips(p, &p->runs[i])) {
            rc = insert_run(p, &p->runs[i], &n, e);
        }
    }
    mem_free(tags);
    return rc;
}

/* Twins are looked for in the same transaction: of two calls at once one finds
 * the runs of the other. */
static int
insert(struct plan *p, struct err *e)
{
    int rc = store_begin(p->c->store, e);
    if (rc) {
        return rc;
    }
    rc = find_twins(p, e);
    if (rc == 0) {
        rc = insert_left(p, e);
    }
    return store_end(p->c->store, rc, e);
}

/* ---- the whole ----------------------------------------------------------- */

int
enqueue_store(struct cli *c, int existing, struct err *e)
{
    if (cli_given(c, "dry-run")) {
        int rc = cli_store(c, STORE_READ, e);
        /* One that would be made now. */
        return rc == ERR_NOTFOUND && !existing ? 0 : rc;
    }
    return existing ? cli_store_existing(c, e) : cli_store(c, STORE_WRITE, e);
}

static int
work(struct plan *p, size_t n, struct err *e)
{
    int rc = make_grid(p, p->bases, n, e);
    if (rc == 0) {
        rc = enqueue_store(p->c, 0, e);
    }
    if (rc == 0) {
        rc = prepare(p, e);
    }
    if (rc == 0) {
        rc = plan_forecast(p, e);
    }
    if (rc == 0 && cli_given(p->c, "dry-run")) {
        rc = find_twins(p, e);
        return rc ? rc : plan_dry_run(p, e);
    }
    if (rc == 0) {
        rc = insert(p, e);
    }
    return rc ? rc : plan_report(p, e);
}

int
enqueue(struct cli *c, const struct enqueue_base *bases, size_t n,
        struct err *e)
{
    struct plan p = {
        .c = c, .bases = bases, .skip = cli_given(c, "skip-existing")};
    int rc = work(&p, n, e);
    for (int i = 0; p.sets && i < p.grid.n_sets; i++) {
        dataset_free(p.sets[i].d);
    }
    mem_free(p.sets);
    mem_free(p.runs);
    grid_release(&p.grid);
    forecaster_free(p.forecaster);
    return rc;
}
