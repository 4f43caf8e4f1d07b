/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/runs.h"
#include "fmnist/mem.h"

/* A closed standard descriptor would be given to the database file, and output
 * would be written into it.  Descriptors that cannot be used take its place, so
 * that writing fails and is reported. */
static void
fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
        }
    }
}

static void
print_error(const struct cli *c, const struct err *e)
{
    struct str line;
    str_init(&line);
    str_add(&line, "fmnist-tui");
    if (c->command) {
        str_addf(&line, " %s", c->command->name);
    }
    str_add(&line, ": ");
    str_add_visible(&line, e->msg[0] ? e->msg : "failed");
    str_addc(&line, '\n');
    /* What was found stands before what is said of it. */
    fflush(c->out);
    fputs(line.s, c->log);
    str_release(&line);
}

static int
exit_code(const struct cli *c, int rc)
{
    if (rc == 0) {
        return 0;
    }
    if (rc == ERR_CANCEL && c->signal) {
        return 128 + c->signal;
    }
    return rc == ERR_USAGE ? 2 : 1;
}

/* What did not reach its destination is an error, found at the latest here. */
static int
close_output(struct cli *c, struct err *e)
{
    int failed = ferror(c->out);
    errno = 0;
    if (fclose(c->out) != 0 || failed) {
        return err_sys(e, "standard output");
    }
    return 0;
}

static int
run(struct cli *c, int argc, char **argv, struct err *e)
{
    int help;
    int rc = cli_parse(c, argc, argv, &help, e);
    if (rc) {
        return rc;
    }
    switch (help) {
    case 1:
        if (c->command) {
            help_command(c->out, c->command);
        } else {
            help_program(c->out);
        }
        return 0;
    case 2:
        help_dump(c->out);
        return 0;
    case 3:
        help_version(c->out);
        return 0;
    }
    return c->command ? c->command->run(c, e) : cli_snapshot(c, e);
}

int
main(int argc, char **argv)
{
    struct cli c = {.out = stdout, .log = stderr};
    struct err e = {0};
    fill_standard_descriptors();
    /* Numbers and dates stay as in the C locale. */
    setlocale(LC_CTYPE, "");
    c.ascii = strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
    int rc = run(&c, argc, argv, &e);
    store_close(c.store);
    if (rc && !(rc == ERR_CANCEL && c.signal)) {
        print_error(&c, &e);
    }
    int code = exit_code(&c, rc);
    struct err close_err = {0};
    if (close_output(&c, &close_err) && code == 0) {
        print_error(&c, &close_err);
        code = 1;
    }
    mem_free(c.values);
    mem_free(c.argv);
    return code;
}
