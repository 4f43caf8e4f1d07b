/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "cli/cli.h"
#include "fmnist/trainer.h"

enum { HELP_COLUMN = 26, HELP_WIDTH = 79 };

static const char *const GROUP_TITLES[N_GROUPS] = {
    [GROUP_TRAIN] = "Train",
    [GROUP_QUEUE] = "Steer",
    [GROUP_LOOK] = "Look at runs",
    [GROUP_EVALUATE] = "Evaluate",
    [GROUP_KEEP] = "Keep house",
    [GROUP_DATA] = "Data sets",
    [GROUP_DB] = "Database and machine",
};

static const char *const SECTION_TITLES[] = {
    [CLI_OWN] = "Options",
    [CLI_HYPER] = "Hyperparameters and data",
    [CLI_OUTPUT] = "Output",
    [CLI_GLOBAL] = "Everywhere",
};

/* Writes text from column `col` on, broken at blanks before HELP_WIDTH. */
static void
put_wrapped(FILE *out, const char *text, int col)
{
    int at = col;
    while (*text) {
        int n = (int)strcspn(text, " ");
        if (at > col && at + 1 + n > HELP_WIDTH) {
            fprintf(out, "\n%*s", col, "");
            at = col;
        } else if (at > col) {
            fputc(' ', out);
            at++;
        }
        fprintf(out, "%.*s", n, text);
        at += n;
        text += n;
        text += strspn(text, " ");
    }
    fputc('\n', out);
}

static void
put_entry(FILE *out, const char *left, const char *text)
{
    int n = fprintf(out, "  %s", left);
    if (n >= HELP_COLUMN) {
        fprintf(out, "\n%*s", HELP_COLUMN, "");
    } else {
        fprintf(out, "%*s", HELP_COLUMN - n, "");
    }
    put_wrapped(out, text, HELP_COLUMN);
}

static void
add_range(struct str *b, const struct cli_option *o)
{
    if (o->type == CLI_CHOICE) {
        for (int i = 0; o->choices[i]; i++) {
            str_addf(b, "%s%s", i ? "|" : "", o->choices[i]);
        }
        return;
    }
    if (o->type != CLI_INT && o->type != CLI_REAL) {
        return;
    }
    const struct hyper_field *f = o->field;
    str_addf(b, f && f->open_min ? "above %.16g" : "%.16g", o->min);
    str_addf(b, f && f->open_max ? " to below %.16g" : " to %.16g", o->max);
}

/* The default of a hyperparameter is that of the preset "ann". */
static void
add_default(struct str *b, const struct cli_option *o)
{
    struct hyper h;
    if (o->preset) {
        str_add(b, o->preset);
    } else if (o->field && o->type != CLI_FLAG &&
               hyper_preset("ann", &h, NULL) == 0) {
        hyper_get(&h, o->field, b);
    }
}

static void
put_option(FILE *out, const struct cli_option *o, int defaults)
{
    struct str left, text, extra;
    str_init(&left);
    str_init(&text);
    str_init(&extra);
    if (o->letter && o->name[0]) {
        str_addf(&left, "-%c, --%s", o->letter, o->name);
    } else if (o->name[0]) {
        str_addf(&left, "--%s", o->name);
    } else {
        str_addf(&left, "-%c", o->letter);
    }
    if (o->type != CLI_FLAG) {
        str_addf(&left, "%s%s", o->name[0] ? "=" : " ", o->arg ? o->arg : "X");
    }
    str_add(&text, o->help);
    add_range(&extra, o);
    if (extra.len) {
        str_addf(&text, " (%s", extra.s);
    }
    int open = extra.len > 0;
    str_clear(&extra);
    if (defaults) {
        add_default(&extra, o);
    }
    if (extra.len) {
        str_addf(&text, "%sdefault %s", open ? "; " : " (", extra.s);
        open = 1;
    }
    if (open) {
        str_addc(&text, ')');
    }
    put_entry(out, left.s, text.s);
    str_release(&left);
    str_release(&text);
    str_release(&extra);
}

static void
put_options(FILE *out, const struct cli_options *all, enum cli_section section,
            int defaults)
{
    int first = 1;
    for (int i = 0; i < all->n; i++) {
        if (all->all[i].section != section) {
            continue;
        }
        if (first) {
            fprintf(out, "\n%s:\n", SECTION_TITLES[section]);
            first = 0;
        }
        put_option(out, &all->all[i], defaults);
    }
}

void
help_program(FILE *out)
{
    struct cli_options global;
    fputs("Usage: fmnist-tui [COMMAND] [OPTION]... [OPERAND]...\n"
          "Trains image classifiers on Fashion-MNIST and keeps every run in a "
          "database.\n"
          "Without a command: the newest runs.\n",
          out);
    for (int g = 0; g < N_GROUPS; g++) {
        int first = 1;
        for (int i = 0; CLI_COMMANDS[i]; i++) {
            if ((int)CLI_COMMANDS[i]->group != g) {
                continue;
            }
            if (first) {
                fprintf(out, "\n%s:\n", GROUP_TITLES[g]);
                first = 0;
            }
            put_entry(out, CLI_COMMANDS[i]->name, CLI_COMMANDS[i]->summary);
        }
    }
    cli_options_of(NULL, &global);
    put_options(out, &global, CLI_GLOBAL, 1);
    fputs("\nA RUN is an id, a range 100..399, an exact name, 8 or more digits "
          "of a UUID,\n@last or @best. 'fmnist-tui COMMAND --help' tells more, "
          "'man fmnist-tui' all.\n",
          out);
}

void
help_command(FILE *out, const struct cli_command *cmd)
{
    struct cli_options all;
    cli_options_of(cmd, &all);
    fprintf(out, "Usage: fmnist-tui %s [OPTION]...%s%s\n", cmd->name,
            cmd->operands[0] ? " " : "", cmd->operands);
    put_wrapped(out, cmd->summary, 0);
    if (cmd->notes) {
        fputc('\n', out);
        put_wrapped(out, cmd->notes, 0);
    }
    for (int s = CLI_OWN; s <= CLI_GLOBAL; s++) {
        /* What changes runs has their own values as defaults. */
        int own = s == CLI_HYPER && (cmd->takes & CLI_TAKES_RUNS);
        put_options(out, &all, (enum cli_section)s, !own);
    }
    if (cmd->examples) {
        fputs("\nExamples:\n", out);
        for (const char *p = cmd->examples; *p;) {
            size_t n = strcspn(p, "\n");
            fprintf(out, "  %.*s\n", (int)n, p);
            p += n + (p[n] == '\n');
        }
    }
}

static const char *
type_name(enum cli_type t)
{
    switch (t) {
    case CLI_FLAG:
        return "flag";
    case CLI_TEXT:
        return "text";
    case CLI_INT:
        return "int";
    case CLI_REAL:
        return "real";
    case CLI_CHOICE:
        break;
    }
    return "choice";
}

static void
dump_options(FILE *out, const char *command, const struct cli_options *all,
             int global)
{
    struct str range, preset;
    str_init(&range);
    str_init(&preset);
    for (int i = 0; i < all->n; i++) {
        const struct cli_option *o = &all->all[i];
        if ((o->section == CLI_GLOBAL) != global) {
            continue;
        }
        char name[64];
        snprintf(name, sizeof name, o->name[0] ? "--%s" : "-%.0s%c", o->name,
                 o->letter);
        str_clear(&range);
        str_clear(&preset);
        add_range(&range, o);
        add_default(&preset, o);
        fprintf(out, "option\t%s\t%s\t%s\t%s\t%s\n", command, name,
                type_name(o->type), range.s, preset.s);
        if (o->letter && o->name[0]) {
            fprintf(out, "letter\t%s\t-%c\t--%s\n", command, o->letter,
                    o->name);
        }
    }
    str_release(&range);
    str_release(&preset);
}

void
help_dump(FILE *out)
{
    struct cli_options all;
    cli_options_of(NULL, &all);
    dump_options(out, "", &all, 1);
    for (int i = 0; CLI_COMMANDS[i]; i++) {
        const struct cli_command *cmd = CLI_COMMANDS[i];
        fprintf(out, "command\t%s\t%s\t%s\n", cmd->name, cmd->operands,
                cmd->summary);
        cli_options_of(cmd, &all);
        dump_options(out, cmd->name, &all, 0);
    }
}

void
help_version(FILE *out)
{
    fprintf(out, "fmnist-tui %s%s%s%s, numerics %d\n", PACKAGE_VERSION,
            FMNIST_COMMIT[0] ? " (" : "", FMNIST_COMMIT,
            FMNIST_COMMIT[0] ? ")" : "", NUMERICS);
}
