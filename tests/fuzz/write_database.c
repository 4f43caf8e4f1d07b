/* SPDX-License-Identifier: MIT */
/* write_database INPUT FILE: the database that an input of hostile.h makes,
 * for tests of the whole program. */
#include "config.h"

#include <stdio.h>
#include <unistd.h>

#include "fuzz.h"
#include "hostile.h"

int
main(int argc, char **argv)
{
    static uint8_t input[1 << 20];
    FILE *f;
    size_t n;

    MUST(argc == 3);
    f = fopen(argv[1], "rb");
    MUST(f);
    n = fread(input, 1, sizeof(input), f);
    fclose(f);
    hostile_write(argv[2], input, n);
    return 0;
}
