/* report/sections.h -- the parts of the page, in their order. Each writes its section, or says what would fill it. */
#ifndef REPORT_SECTIONS_H
#define REPORT_SECTIONS_H

#include "page/chart.h"
#include "page/page.h"
#include "report/report_run.h"
#include "run/session.h"

enum { REPORT_RUNS_MOST = 16 };

struct report {
    struct session *session;
    struct page page;
    struct report_run *runs; /* [count], the first of them is the one whose encoder is looked at */
    size_t count;
    size_t sets; /* of test images that the runs were judged on */
};
/* Was run r judged on the test images of run `set`? */
static inline bool report_is_of_set(const struct report *report, size_t r, size_t set)
{
    return judged_is_there(&report->runs[r].judged) && report->runs[r].set == set;
}

/* headline.c: what it came to, in a sentence and five tiles; the table of contents. */
void section_headline(struct report *report);
/* health.c: in words, each with what to do. */
void section_health(struct report *report);
/* How many things health warns of. */
size_t health_count(const struct report *report, const struct report_run *run);
/* worth.c: all figures beside their controls. */
void section_worth(struct report *report);
/* labels.c: accuracy against the number of labels, and the label factor. */
void section_labels(struct report *report);
/* training.c: curves. */
void section_training(struct report *report);
/* made.c: the data; how it was made, differences first. */
void section_data(struct report *report);
void section_made(struct report *report);

/* ---- words.c: what all parts say alike ---- */

enum { WORDS = 64 };
void words_count(char out[WORDS], int64_t count);               /* "50,000" */
void words_duration(char out[WORDS], double seconds);           /* "2 h 17 min"; "" for NaN */
void words_figure(char out[WORDS], int decimals, double value); /* "5.829"; of a million and more "1.23e+300" */
/* "20"; "7.25" in the midst of one, rounded down: nothing reads as an end that was not reached. "" for NaN. */
void words_epoch(char out[WORDS], double epoch);
/* The name of a run where there is more than one, with ": " behind it; else "". */
const char *words_run(const struct report *report, const struct report_run *run, char out[256]);
/* "c10, 120 test images in 10 classes": what the run was judged on. */
void words_test_set(struct text *out, const struct report_run *run);
/* A box of words: class "good", "warn" or "" (plain), a sentence in front, and what to do. */
void words_note(struct page *page, const char *class_name, const char *what, const char *advice);
/* The text that text_json_string was given: new string (memory_free); NULL without memory. "" for what is no string. */
char *words_of_json(const struct json_value *value);
/* What is missing, and the command that would fill it: <1>, <2> and <3> in it stand for these paths, as words of a
 * shell.
 */
void words_missing(struct page *page, const char *what, const char *command, const char *const paths[3]);
/* The same of a command that takes the run's encoder, which <1> stands for, and <2> for the run's folder. Where there
 * is no encoder, that is said in place of it. */
void words_judge(struct page *page, const struct report_run *run, const char *what, const char *command);

#endif
