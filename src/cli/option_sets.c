/* SPDX-License-Identifier: MIT */
/* Which options a command takes: its own, and those that many share. */
#include "config.h"

#include <assert.h>
#include <string.h>

#include "cli/cli.h"

static const char *const COLOR_NAMES[] = {"auto", "always", "never", NULL};

static const struct cli_option GLOBAL_OPTIONS[] = {
    {.name = "help", .letter = 'h', .help = "show help and leave"},
    {.name = "version", .help = "show the version and leave"},
    {.name = "db",
     .type = CLI_TEXT,
     .arg = "FILE",
     .help = "the run database (else $FMNIST_DB, else the user's own)"},
    {.name = "color",
     .type = CLI_CHOICE,
     .arg = "WHEN",
     .choices = COLOR_NAMES,
     .preset = "auto",
     .help = "colours"},
    {.name = "ascii", .help = "draw with ASCII characters only"},
    {.name = "quiet", .help = "no messages and no progress, only errors"},
    {.name = "read-only", .help = "refuse to write to the database"},
    {.name = NULL},
};

static const struct cli_option OUTPUT_OPTIONS[] = {
    {.name = "json", .help = "print JSON"},
    {.name = "csv", .help = "print CSV with a header"},
    {.name = "columns",
     .type = CLI_TEXT,
     .arg = "LIST",
     .help = "print these columns, separated by commas"},
    {.name = "", .letter = 'q', .help = "print ids only"},
    {.name = NULL},
};

static const struct cli_option RUNS_OPTIONS[] = {
    {.name = "filter",
     .type = CLI_TEXT,
     .arg = "EXPR",
     .help = "the runs that a filter selects"},
    {.name = NULL},
};

/* Beside HYPER_FIELDS: what becomes part of the spec, or is no hyperparameter.
 */
static const struct cli_option TRAIN_OPTIONS[] = {
    {.name = "hidden",
     .type = CLI_TEXT,
     .arg = "LIST",
     .help = "widths of the hidden dense layers, such as 128-64"},
    {.name = "filters",
     .type = CLI_TEXT,
     .arg = "LIST",
     .help = "filters of the convolution blocks, such as 32-64"},
    {.name = "data",
     .type = CLI_TEXT,
     .arg = "SET",
     .preset = "small",
     .help = "small, full, a registered name, a CSV file or an IDX folder"},
    {.name = "threads",
     .type = CLI_INT,
     .arg = "N",
     .min = 1,
     .max = 1024,
     .preset = "all processors",
     .help = "threads of the engine; the result does not depend on it"},
    {.name = "name",
     .type = CLI_TEXT,
     .arg = "NAME",
     .help = "name of the run (default: model and what differs)"},
    {.name = "tag",
     .type = CLI_TEXT,
     .arg = "TAG",
     .repeat = 1,
     .help = "tag the run; may be repeated"},
    {.name = "note", .type = CLI_TEXT, .arg = "TEXT", .help = "a note"},
    {.name = NULL},
};

static void
add_option(struct cli_options *o, const struct cli_option *opt,
           enum cli_section section)
{
    assert(o->n < CLI_MAX_OPTIONS);
    o->all[o->n] = *opt;
    o->all[o->n].section = section;
    o->n++;
}

static void
add_options(struct cli_options *o, const struct cli_option *list,
            enum cli_section section)
{
    for (; list && list->name; list++) {
        add_option(o, list, section);
    }
}

static enum cli_type
type_of_field(const struct hyper_field *f)
{
    switch (f->type) {
    case HYPER_INT:
        return CLI_INT;
    case HYPER_REAL:
        return CLI_REAL;
    case HYPER_CHOICE:
        return CLI_CHOICE;
    case HYPER_FLAG:
        return CLI_FLAG;
    case HYPER_TEXT:
        break;
    }
    return CLI_TEXT;
}

static void
add_hyper_options(struct cli_options *o)
{
    for (int i = 0; i < hyper_n_fields(); i++) {
        const struct hyper_field *f = &HYPER_FIELDS[i];
        if (!f->option) {
            continue;
        }
        struct cli_option opt = {
            .name = f->option + strspn(f->option, "-"),
            .type = type_of_field(f),
            .arg = f->arg,
            .help = f->help,
            .min = f->min,
            .max = f->max,
            .choices = f->choices,
            .field = f,
        };
        add_option(o, &opt, CLI_HYPER);
    }
    add_options(o, TRAIN_OPTIONS, CLI_HYPER);
}

void
cli_options_of(const struct cli_command *cmd, struct cli_options *out)
{
    out->n = 0;
    if (cmd) {
        add_options(out, cmd->options, CLI_OWN);
        if (cmd->takes & CLI_TAKES_RUNS) {
            add_options(out, RUNS_OPTIONS, CLI_OWN);
        }
        if (cmd->takes & CLI_TAKES_HYPER) {
            add_hyper_options(out);
        }
        if (cmd->takes & CLI_TAKES_OUTPUT) {
            add_options(out, OUTPUT_OPTIONS, CLI_OUTPUT);
        }
    }
    add_options(out, GLOBAL_OPTIONS, CLI_GLOBAL);
}
