/* config/recipe_reader.h -- what the readers of a recipe share: recipe.c reads options, recipe_expect.c the list of
 * what is expected. Inside the room only. */
#ifndef CONFIG_RECIPE_READER_H
#define CONFIG_RECIPE_READER_H

#include <yaml.h>

#include "config/config.h"

struct reader {
    struct config *config;
    struct config *trial; /* takes every value first: a recipe is right or wrong as a whole, whatever wins over it */
    const char *name;     /* of the file, for errors */
    int origin;
    unsigned char *seen;    /* per option row */
    int left;               /* options of other commands, */
    struct text left_names; /* and the names of the first of them, with commas between */
    bool expects;           /* the list of expectations was read */
    struct error *error;
    yaml_parser_t parser;
};

/* SIMCLR_INVALID with "file:line:column: what". */
int recipe_refuse(struct reader *reader, const yaml_event_t *event, const char *what);
/* The next event (yaml_event_delete), judged by its kind: no anchor, alias, tag or directive passes. */
int recipe_next(struct reader *reader, yaml_event_t *event);

/* recipe_expect.c: reads the value of the key `expect`, and makes it the configuration's. */
int recipe_read_expect(struct reader *reader, const yaml_event_t *key);
/* Writes the list as recipes have it; nothing where it is empty. */
void recipe_write_expect(struct text *out, const struct expectations *list);
/* A double-quoted scalar (recipe.c). */
void recipe_write_quoted(struct text *out, const char *value);

#endif
