/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "cli/cli.h"

enum { WORD_MAX = 40 };

static int
least(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edits between two words: insert, delete, replace, swap neighbours (optimal
 * string alignment); WORD_MAX for words too long to be a slip. */
static int
distance(const char *a, const char *b)
{
    int d[WORD_MAX + 1][WORD_MAX + 1];
    int n = (int)strlen(a);
    int m = (int)strlen(b);
    if (n > WORD_MAX || m > WORD_MAX) {
        return WORD_MAX;
    }
    for (int i = 0; i <= n; i++) {
        for (int j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1,
                            d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
                a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < d[i][j]) {
                d[i][j] = d[i - 2][j - 2] + 1;
            }
        }
    }
    return d[n][m];
}

const char *
cli_suggest(const char *word, const char *const *candidates)
{
    const char *best = NULL;
    size_t n = strlen(word);
    int best_d = n < 4 ? 2 : n < 8 ? 3 : 4; /* exclusive */
    for (int i = 0; n > 0 && candidates[i]; i++) {
        const char *s = candidates[i];
        int d = distance(word, s);
        /* The beginning of a name is as good as one slip. */
        if (n >= 2 && strncmp(s, word, n) == 0 && d > 1) {
            d = 1;
        }
        if (d < best_d && s[0]) {
            best_d = d;
            best = s;
        }
    }
    return best;
}
