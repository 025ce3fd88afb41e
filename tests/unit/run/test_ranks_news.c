/* What ranks say on the way: rank 0 logs it, once, with rank and host before it. Ranks are threads. */
#include "support/comm_threads.h"
#include "support/run.h"

#include <string.h>

#include "run/ranks_news.h"

enum { RANKS = 3, ROOM = 400000, MANY = 3000 };

/* What the log of each rank came to. */
struct heard {
    char text[RANKS][ROOM];
    size_t used[RANKS];
    bool quiet; /* the ranks never agree */
};

struct ear {
    struct heard *heard;
    int rank;
};

static void hear(void *cookie, enum log_level level, const char *line)
{
    const struct ear *ear = cookie;
    struct heard *heard = ear->heard;
    const int written = snprintf(heard->text[ear->rank] + heard->used[ear->rank], ROOM - heard->used[ear->rank],
                                 "%d %s\n", (int)level, line);
    if (written > 0 && heard->used[ear->rank] + (size_t)written < ROOM) heard->used[ear->rank] += (size_t)written;
}

static const char *host_of(const void *cookie, int rank)
{
    return ((const char *const *)cookie)[rank];
}

static void talk(struct communicator *communicator, void *context)
{
    static const char *const hosts[] = {"north", "south", "west"};
    struct ear ear = {context, communicator_rank(communicator)};
    struct ranks_news news;
    struct error error;
    if (ranks_news_open(&news, communicator, (struct log){hear, &ear}, host_of, hosts, &error)) return;
    const struct log log = ranks_news_log(&news);
    log_warning(&log, "all say this");
    log_info(&log, "nobody hears this of others");
    if (ear.rank == 2) log_line(&log, LOG_ERROR, "a name\\of %s", "two\nlines");
    if (!ear.heard->quiet) communicator_agree_status(communicator, SIMCLR_OK, &error);
    if (ear.rank == 1) log_warning(&log, "later");
    for (int i = 0; i < MANY && ear.rank == 1 && !ear.heard->quiet; i++) log_warning(&log, "one of many: %d", i);
    if (ear.rank == 1) log_warning(&log, "later"); /* the same rank says it twice */
    if (!ear.heard->quiet) communicator_agree_status(communicator, SIMCLR_OK, &error);
    ranks_news_close(&news);
}

static struct heard *listen_to(bool quiet)
{
    struct heard *heard = calloc(1, sizeof *heard);
    assert_non_null(heard);
    heard->quiet = quiet;
    comm_threads_run(RANKS, talk, heard);
    return heard;
}

static void rank_0_logs_what_others_say(void **state)
{
    (void)state;
    struct heard *heard = listen_to(false);
    static const char start[] = "2 all say this\n1 nobody hears this of others\n"
                                "3 rank 2 on west: a name\\\\of two\\nlines\n"
                                "2 rank 1 on south: later\n2 rank 1 on south: one of many: 0\n";
    assert_int_equal(strncmp(heard->text[0], start, strlen(start)), 0);
    int lines = 0;
    for (const char *at = heard->text[0]; (at = strchr(at, '\n')); at++) lines++;
    assert_int_equal(lines, 3 + MANY + 2);
    assert_string_equal(strrchr(heard->text[0], ':') - strlen("2 rank 1 on south"), "2 rank 1 on south: later\n");
    assert_string_equal(heard->text[1], "");
    assert_string_equal(heard->text[2], "");
    free(heard);
}

/* A run that ends before its ranks agree: each says for itself what it has. */
static void what_was_not_told_is_said_by_its_rank(void **state)
{
    (void)state;
    struct heard *heard = listen_to(true);
    assert_string_equal(heard->text[0], "2 all say this\n1 nobody hears this of others\n");
    assert_string_equal(heard->text[1], "2 rank 1 on south: all say this\n2 rank 1 on south: later\n"
                                        "2 rank 1 on south: later\n");
    assert_string_equal(heard->text[2], "2 rank 2 on west: all say this\n3 rank 2 on west: a name\\\\of two\\nlines\n");
    free(heard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rank_0_logs_what_others_say),
        cmocka_unit_test(what_was_not_told_is_said_by_its_rank),
    };
    return run_cases(tests, NULL, NULL);
}
