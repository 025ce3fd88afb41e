/* run/run_state.h -- what the folder of a run says of it from outside: its options, how far it is, how it ended.
 * Nothing here writes, locks or waits, so a run that is under way is not disturbed. */
#ifndef RUN_RUN_STATE_H
#define RUN_RUN_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

enum run_state {
    RUN_NONE,    /* no training: the folder is of an evaluation alone */
    RUN_UNKNOWN, /* there is a run, and nothing says how far it came */
    RUN_RUNNING, /* a process uses the folder */
    RUN_STOPPED, /* none does, and it is not at its end */
    RUN_FINISHED
};

/* The options in path/config.yaml (config_destroy) and the command that they are of; *out NULL, and no failure, where
 * there is no such file. SIMCLR_INVALID: it is no recipe of ours; SIMCLR_IO, SIMCLR_DATA (too large), SIMCLR_NO_MEMORY.
 */
int run_state_config(const char *path, enum command *command, struct config **out, struct error *error);

/* config: of the run, NULL where it cannot be read. step, epoch: of its last line of metrics; NaN: there is none. */
enum run_state run_state_find(const char *path, const struct config *config, int64_t step, double epoch);

/* The last line of train.log. text: its sentence, names in it escaped, "" where there is none. */
enum run_words {
    WORDS_NONE,
    WORDS_OTHER,
    WORDS_ASKED, /* it was asked to stop, and did */
    WORDS_ERROR  /* it ended with an error: the sentence */
};
enum { RUN_WORDS_TEXT = 600 };
enum run_words run_state_last_words(const char *path, char text[RUN_WORDS_TEXT]);

#endif
