/* config/values.h -- one option's value as text: read, checked, written. Inside the room only. */
#ifndef CONFIG_VALUES_H
#define CONFIG_VALUES_H

#include "base/text.h"
#include "config/config.h"

enum { ALLOWED_TEXT = 200, SHOWN_TEXT = 72 };

/* Stores `value` in the row's field. SIMCLR_INVALID (without a sentence) when the option cannot have it. */
int value_set(struct config *config, const struct option_row *row, const char *value);
/* The same for a list, to which it adds a line. */
int value_add(struct config *config, const struct option_row *row, const char *value);
/* Appends the value as value_set reads it. */
void value_write(const struct config *config, const struct option_row *row, struct text *out);
bool value_equal(const struct config *a, const struct config *b, const struct option_row *row);
bool value_is_auto(const struct config *config, const struct option_row *row); /* or an empty text */

/* "an integer from 1 to 100000 or auto": the end of the sentence "--epochs takes ...". */
void value_allowed(const struct option_row *row, char out[ALLOWED_TEXT]);
/* `text` as a sentence names it: a long one is cut in the middle, with a mark that says how long it is. */
void value_shown(const char *text, char out[SHOWN_TEXT]);

/* Text that a recipe can hold: UTF-8 without surrogates. */
bool value_is_utf8(const char *text);

/* The first row of `name` whatever the command, or NULL. */
const struct option_row *option_find_any(const char *name);

#endif
