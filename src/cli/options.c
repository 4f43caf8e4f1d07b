/* SPDX-License-Identifier: MIT */
/* The command line to a command, its values and operands. */
#include "config.h"

#include <string.h>

#include "cli/cli.h"
#include "fmnist/mem.h"

static const struct cli_option *
find_long(const struct cli_options *o, const char *name, size_t n)
{
    for (int i = 0; i < o->n; i++) {
        if (n > 0 && strlen(o->all[i].name) == n &&
            memcmp(o->all[i].name, name, n) == 0) {
            return &o->all[i];
        }
    }
    return NULL;
}

static const struct cli_option *
find_letter(const struct cli_options *o, char letter)
{
    for (int i = 0; i < o->n; i++) {
        if (o->all[i].letter && o->all[i].letter == letter) {
            return &o->all[i];
        }
    }
    return NULL;
}

static int
unknown_option(const struct cli *c, const char *arg, size_t n, struct err *e)
{
    const char *names[CLI_MAX_OPTIONS + 1];
    char word[64];
    int k = 0;
    for (int i = 0; i < c->options.n; i++) {
        names[k++] = c->options.all[i].name;
    }
    names[k] = NULL;
    const char *like = NULL;
    if (n > 2 && n - 2 < sizeof word) {
        memcpy(word, arg + 2, n - 2);
        word[n - 2] = '\0';
        like = cli_suggest(word, names);
    }
    int shown = n < 80 ? (int)n : 80;
    if (like) {
        return err_set(e, ERR_USAGE, "unknown option %.*s (did you mean --%s?)",
                       shown, arg, like);
    }
    return err_set(
        e, ERR_USAGE, "unknown option %.*s; see 'fmnist-tui%s%s --help'", shown,
        arg, c->command ? " " : "", c->command ? c->command->name : "");
}

static const char *
shown_name(const struct cli_option *o, char buf[64])
{
    if (o->name[0]) {
        snprintf(buf, 64, "--%s", o->name);
    } else {
        snprintf(buf, 64, "-%c", o->letter);
    }
    return buf;
}

static int
check_choice(const struct cli_option *o, const char *text, struct err *e)
{
    struct str list;
    str_init(&list);
    for (int i = 0; o->choices[i]; i++) {
        if (strcmp(o->choices[i], text) == 0) {
            str_release(&list);
            return 0;
        }
        str_addf(&list, "%s%s", i ? ", " : "", o->choices[i]);
    }
    char name[64];
    int rc = err_set(e, ERR_USAGE, "%s: expected one of %s, found \"%.80s\"",
                     shown_name(o, name), list.s, text);
    str_release(&list);
    return rc;
}

static int
check_number(const struct cli_option *o, const char *text, struct err *e)
{
    long long i = 0;
    double v = 0;
    int bad;
    if (o->type == CLI_INT) {
        bad = str_to_i64(text, &i);
        v = (double)i;
    } else {
        bad = str_to_double(text, &v);
    }
    if (!bad && v >= o->min && v <= o->max) {
        return 0;
    }
    char name[64];
    return err_set(e, ERR_USAGE,
                   "%s: expected a %snumber from %.16g to %.16g, "
                   "found \"%.80s\"",
                   shown_name(o, name), o->type == CLI_INT ? "whole " : "",
                   o->min, o->max, text);
}

/* Hyperparameters are checked by hyper_set, in cli_hyper. */
static int
check_value(const struct cli_option *o, const char *text, struct err *e)
{
    if (o->field) {
        return 0;
    }
    switch (o->type) {
    case CLI_FLAG:
    case CLI_TEXT:
        return 0;
    case CLI_INT:
    case CLI_REAL:
        return check_number(o, text, e);
    case CLI_CHOICE:
        return check_choice(o, text, e);
    }
    return 0;
}

/* The parser's place in argv. */
struct cursor {
    int argc, i;
    char **argv;
};

static int
take_value(struct cli *c, const struct cli_option *o, const char *attached,
           struct cursor *at, struct err *e)
{
    const char *text = attached;
    char name[64];
    if (o->type == CLI_FLAG) {
        /* The flags with an optional value: --help=all, and hyperparameters,
         * which may be 0 or 1. */
        if (attached && strcmp(o->name, "help") != 0 && !o->field) {
            return err_set(e, ERR_USAGE, "%s takes no value",
                           shown_name(o, name));
        }
    } else {
        if (!text && at->i + 1 < at->argc) {
            text = at->argv[++at->i];
        }
        if (!text) {
            return err_set(e, ERR_USAGE, "%s needs a value: %s",
                           shown_name(o, name), o->arg);
        }
        int rc = check_value(o, text, e);
        if (rc) {
            return rc;
        }
    }
    c->values[c->n_values].option = o;
    c->values[c->n_values].text = text;
    c->n_values++;
    return 0;
}

static int
parse_long(struct cli *c, struct cursor *at, struct err *e)
{
    const char *arg = at->argv[at->i];
    const char *eq = strchr(arg, '=');
    size_t n = eq ? (size_t)(eq - arg) : strlen(arg);
    const struct cli_option *o = find_long(&c->options, arg + 2, n - 2);
    if (!o) {
        return unknown_option(c, arg, n, e);
    }
    return take_value(c, o, eq ? eq + 1 : NULL, at, e);
}

static int
parse_letters(struct cli *c, struct cursor *at, struct err *e)
{
    for (const char *p = at->argv[at->i] + 1; *p; p++) {
        const struct cli_option *o = find_letter(&c->options, *p);
        if (!o) {
            char word[3] = {'-', *p, '\0'};
            return unknown_option(c, word, 2, e);
        }
        int has_arg = o->type != CLI_FLAG;
        int rc = take_value(c, o, has_arg && p[1] ? p + 1 : NULL, at, e);
        if (rc || has_arg) {
            return rc;
        }
    }
    return 0;
}

static int
is_option(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0';
}

/* Index of the first operand at or after i, or argc: options before the command
 * can only be global ones. */
static int
next_operand(char **argv, int argc, int i)
{
    struct cli_options global;
    cli_options_of(NULL, &global);
    for (; i < argc; i++) {
        const char *arg = argv[i];
        if (!is_option(arg)) {
            return i;
        }
        if (strcmp(arg, "--") == 0) {
            return i + 1 < argc ? i + 1 : argc;
        }
        const struct cli_option *o =
            arg[1] == '-' ? find_long(&global, arg + 2, strlen(arg + 2)) : NULL;
        if (o && o->type != CLI_FLAG) {
            i++;
        }
    }
    return argc;
}

static const struct cli_command *
find_command(const char *first, const char *second)
{
    size_t n = strlen(first);
    for (int i = 0; CLI_COMMANDS[i]; i++) {
        const char *name = CLI_COMMANDS[i]->name;
        if (!second && strcmp(name, first) == 0) {
            return CLI_COMMANDS[i];
        }
        if (second && strncmp(name, first, n) == 0 && name[n] == ' ' &&
            strcmp(name + n + 1, second) == 0) {
            return CLI_COMMANDS[i];
        }
    }
    return NULL;
}

/* "data" alone, or "data splt": names the commands that begin so. */
static int
unknown_second(const char *first, const char *second, struct err *e)
{
    struct str list;
    const char *names[64];
    size_t n = strlen(first);
    int k = 0;
    str_init(&list);
    for (int i = 0; CLI_COMMANDS[i] && k < 63; i++) {
        const char *name = CLI_COMMANDS[i]->name;
        if (strncmp(name, first, n) == 0 && name[n] == ' ') {
            str_addf(&list, "%s%s", k ? ", " : "", name + n + 1);
            names[k++] = name + n + 1;
        }
    }
    names[k] = NULL;
    int rc = 0;
    const char *like = second ? cli_suggest(second, names) : NULL;
    if (k > 0 && like) {
        rc = err_set(e, ERR_USAGE,
                     "unknown command \"%s %.80s\" (did you mean %s %s?)",
                     first, second, first, like);
    } else if (k > 0) {
        rc = err_set(e, ERR_USAGE, "%s needs one of %s", first, list.s);
    }
    str_release(&list);
    return rc;
}

static int
unknown_command(const char *word, struct err *e)
{
    const char *names[128];
    int k = 0;
    for (; CLI_COMMANDS[k] && k < 127; k++) {
        names[k] = CLI_COMMANDS[k]->name;
    }
    names[k] = NULL;
    const char *like = cli_suggest(word, names);
    if (like) {
        return err_set(e, ERR_USAGE,
                       "unknown command \"%.80s\" (did you mean %s?)", word,
                       like);
    }
    return err_set(e, ERR_USAGE,
                   "unknown command \"%.80s\"; 'fmnist-tui --help' lists them",
                   word);
}

/* Finds the command word or words and blanks them out of argv (NULL). */
static int
take_command(struct cli *c, int argc, char **argv, struct err *e)
{
    int i = next_operand(argv, argc, 1);
    if (i >= argc) {
        return 0;
    }
    c->command = find_command(argv[i], NULL);
    if (!c->command) {
        int j = next_operand(argv, argc, i + 1);
        const char *second = j < argc ? argv[j] : NULL;
        c->command = second ? find_command(argv[i], second) : NULL;
        if (!c->command) {
            int rc = unknown_second(argv[i], second, e);
            return rc ? rc : unknown_command(argv[i], e);
        }
        argv[j] = NULL;
    }
    argv[i] = NULL;
    return 0;
}

static int
check_operands(const struct cli *c, struct err *e)
{
    const struct cli_command *cmd = c->command;
    if (!cmd) {
        return 0;
    }
    if (cmd->max >= 0 && c->argc > cmd->max) {
        return err_set(e, ERR_USAGE, "unexpected operand \"%.80s\"%s%s",
                       c->argv[cmd->max], cmd->operands[0] ? "; usage: " : "",
                       cmd->operands);
    }
    int min = cmd->min;
    if ((cmd->takes & CLI_TAKES_RUNS) && cli_given(c, "filter") && min > 0) {
        min--;
    }
    if (c->argc < min) {
        return err_set(e, ERR_USAGE, "operands missing: %s %s", cmd->name,
                       cmd->operands);
    }
    return 0;
}

static void
take_globals(struct cli *c, int *help)
{
    c->db = cli_text(c, "db");
    c->color = (enum cli_color)cli_choice(c, "color", COLOR_AUTO);
    c->ascii |= cli_given(c, "ascii");
    c->quiet = cli_given(c, "quiet");
    c->read_only = cli_given(c, "read-only");
    if (cli_given(c, "version")) {
        *help = 3;
    }
    if (cli_given(c, "help")) {
        const char *what = cli_text(c, "help");
        *help = what && strcmp(what, "all") == 0 ? 2 : 1;
    }
}

int
cli_parse(struct cli *c, int argc, char **argv, int *help, struct err *e)
{
    struct cursor at = {argc, 1, argv};
    *help = 0;
    /* "-qqq" holds as many options as letters. */
    size_t most = 1;
    for (int i = 0; i < argc; i++) {
        most += strlen(argv[i]);
    }
    c->values = mem_zalloc(most, sizeof *c->values);
    c->argv = mem_zalloc((size_t)argc + 1, sizeof *c->argv);
    if (!c->values || !c->argv) {
        return err_nomem(e, "the command line", most * sizeof *c->values);
    }
    int rc = take_command(c, argc, argv, e);
    cli_options_of(c->command, &c->options);
    int only_operands = 0;
    for (; rc == 0 && at.i < argc; at.i++) {
        char *arg = argv[at.i];
        if (!arg) {
            continue;
        }
        if (only_operands || !is_option(arg)) {
            c->argv[c->argc++] = arg;
        } else if (strcmp(arg, "--") == 0) {
            only_operands = 1;
        } else if (arg[1] == '-') {
            rc = parse_long(c, &at, e);
        } else {
            rc = parse_letters(c, &at, e);
        }
    }
    take_globals(c, help);
    if (rc == 0 && *help == 0 && c->command && c->command->check) {
        rc = c->command->check(c, e);
    }
    if (rc == 0 && *help == 0) {
        rc = check_operands(c, e);
    }
    return rc;
}
