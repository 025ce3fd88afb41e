/* config/options.c -- the one option table, and the words that its rows are written in. The rows stand by section in
 * options_data_body.h, options_network_body.h, options_training_body.h and options_evaluation_body.h.
 *
 * A row has three parts: what the option is (name, argument, type with field and range, section of --help), who takes
 * it (commands, default and what else is allowed), and its sentence. What a row does not name is NULL, 0 or false.
 * `elsewhere` stands in the first row of a name. */
#include <stddef.h>

#include "config/config.h"

#define ON(command) COMMAND_SET(COMMAND_##command)

/* Commands that start from a trained encoder, that train with labels, that compute with a network, and that draw views.
 */
#define WITH_COLLECTION (ON(AUDIT) | ON(MAP) | ON(NEIGHBOURS) | ON(SELECT)) /* they look at a set as rows */
#define WITH_ENCODER (ON(FINETUNE) | ON(KNN) | ON(LINEAR) | ON(EVALUATE) | ON(EMBED) | ON(REPORT) | WITH_COLLECTION)
#define WITH_LABELS (ON(FINETUNE) | ON(SUPERVISED))
#define WITH_NETWORK (ON(PRETRAIN) | ON(SUPERVISED) | WITH_ENCODER | ON(INFO) | ON(BENCH) | ON(DEMO))
#define WITH_RANKS (ON(PRETRAIN) | ON(KNN) | ON(LINEAR) | ON(EMBED)) /* they run on several processes */
#define WITH_TABLES (ON(KNN) | ON(LINEAR) | ON(EVALUATE))            /* they judge tables of features too */
#define WITH_SETS                                                    /* they open a set of images */                   \
    (ON(PRETRAIN) | ON(SUPERVISED) | WITH_ENCODER | ON(INFO) | ON(BENCH) | ON(VIEWS) | ON(DATA_INFO) | ON(DATA_PACK))
#define WITH_VIEWS (ON(PRETRAIN) | ON(BENCH) | ON(DEMO) | ON(VIEWS))

/* A row's type, field and range. The compiler refuses a field that is not of the option's C type. */
#define AT(field, ctype) /* NOLINTNEXTLINE(bugprone-macro-parentheses): a type is no expression */                     \
    .offset = offsetof(struct config, field) + 0 * sizeof(char[_Generic(((struct config *)0)->field, ctype : 1)])
#define LIST(field) .type = OPTION_LIST, AT(field, char *)
#define TEXT(field) .type = OPTION_STRING, AT(field, char *)
#define CHOICE(field) .type = OPTION_CHOICE, AT(field, char *)
#define RGB(field, low, high) .type = OPTION_RGB, AT(field, char *), .minimum = (low), .maximum = (high)
#define FLAG(field) .type = OPTION_BOOLEAN, AT(field, bool), .maximum = 1
#define INTEGER(field, low, high) .type = OPTION_INTEGER, AT(field, int64_t), .minimum = (low), .maximum = (high)
#define NUMBER(field, low, high) .type = OPTION_NUMBER, AT(field, double), .minimum = (low), .maximum = (high)
#define DURATION(field) .type = OPTION_DURATION, AT(field, double), .minimum = 0, .maximum = 1e9
#define BYTES(field, low) .type = OPTION_BYTES, AT(field, int64_t), .minimum = (low), .maximum = 1125899906842624.0

#define STL10_PARTS "train|unlabeled|train+unlabeled|fold0|fold1|fold2|fold3|fold4|fold5|fold6|fold7|fold8|fold9"

/* The order is that of --help; the first row of a field gives its default to the commands that do not take it.
 * Numbers of the method are those of arXiv:2002.05709 (section 2, appendix A and B) where it gives them. */
/* clang-format off */
const struct option_row config_options[] = {
#include "config/options_data_body.h"
#include "config/options_network_body.h"
#include "config/options_training_body.h"
#include "config/options_evaluation_body.h"
};
/* clang-format on */
const int config_option_count = sizeof config_options / sizeof config_options[0];
