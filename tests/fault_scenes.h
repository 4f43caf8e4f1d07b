/* SPDX-License-Identifier: MIT */
/* Whole operations on a database, for tests that make each call fail. */
#ifndef FMNIST_TESTS_FAULT_SCENES_H
#define FMNIST_TESTS_FAULT_SCENES_H

#include "store/db.h"

struct scene {
    const char *name;
    /* s is open, or NULL where the operation opens the database itself. */
    int (*act)(struct store *s, struct err *e);
    /* How it is opened before, or looked at after that. */
    int (*open)(struct store **s, struct err *e);
    int opens;
    int empty; /* there is no database yet */
    int alike; /* one of many that do not differ much to the file system */
};

enum { N_SCENES = 33 };
extern const struct scene SCENES[N_SCENES];

/* Of all opening by scenes. */
extern struct store_env scene_env;

/* A name in the folder of the test, until the next call. */
const char *scene_file(const char *name);
/* Makes the database that each scene begins with, and keeps its bytes. */
void scene_template(void);
/* Puts it there, and nothing beside it. */
void scene_reset(const struct scene *c);
/* Opens it, unless the scene does so itself: NULL then. */
struct store *scene_begin(const struct scene *c);

#endif
