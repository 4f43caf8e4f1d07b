/* SPDX-License-Identifier: MIT */
/*
 * Gives a target the inputs that are in the tree, one test each: those of
 * corpus/NAME and found/NAME, where the program is called replay_NAME; or the
 * files that it is called with.  Prints TAP.
 */
#include "config.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static int tests;

/* The target gets a copy of exactly its size, so that a checker of memory sees
 * every byte read beyond. */
static void
replay(const char *path, const char *name)
{
    FILE *f = fopen(path, "rb");
    static uint8_t buffer[1 << 20];
    uint8_t *exact;
    size_t n;

    MUST(f);
    n = fread(buffer, 1, sizeof(buffer), f);
    MUST(!ferror(f) && n < sizeof(buffer));
    fclose(f);
    exact = malloc(n);
    MUST(exact || n == 0);
    if (n > 0)
        memcpy(exact, buffer, n);
    MUST(LLVMFuzzerTestOneInput(exact, n) == 0);
    free(exact);
    printf("ok %d - %s\n", ++tests, name);
    fflush(stdout);
}

static int
visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Returns how many files the folder has; it need not be there. */
static int
replay_folder(const char *kind, const char *target)
{
    const char *srcdir = getenv("srcdir");
    struct dirent **list = NULL;
    char dir[2048], path[4096], name[512];
    int i, n;

    snprintf(dir, sizeof(dir), "%s/tests/fuzz/%s/%s", srcdir ? srcdir : ".",
             kind, target);
    n = scandir(dir, &list, visible, alphasort);
    for (i = 0; i < n; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, list[i]->d_name);
        snprintf(name, sizeof(name), "%s: %s", kind, list[i]->d_name);
        replay(path, name);
        free(list[i]);
    }
    free(list);
    return n;
}

int
main(int argc, char **argv)
{
    const char *target = strstr(argv[0], "replay_");
    int i;

    for (i = 1; i < argc; i++)
        replay(argv[i], argv[i]);
    if (argc == 1) {
        MUST(target);
        target += strlen("replay_");
        MUST(replay_folder("corpus", target) > 0);
        replay_folder("found", target);
    }
    printf("1..%d\n", tests);
    return 0;
}
