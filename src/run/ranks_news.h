/* run/ranks_news.h -- what ranks tell each other on the way: warnings, which rank 0 logs, and bad images, which all
 * count. It travels with the messages by which ranks agree (communicator_news). */
#ifndef RUN_RANKS_NEWS_H
#define RUN_RANKS_NEWS_H

#include <pthread.h>

#include "base/log.h"
#include "comm/communicator.h"
#include "data/bad_exchange.h"

struct told_line;

struct ranks_news {
    struct communicator_news news; /* the communicator's */
    struct communicator *communicator;
    const char *(*host_of)(const void *cookie, int rank);
    const void *cookie; /* of host_of */
    struct bad_exchange images;
    struct log outer;       /* of the session before there were ranks */
    const struct log *into; /* rank 0: where others' lines go; the run's log while there is one */
    pthread_mutex_t mutex;  /* of what follows: any thread may warn */
    char *lines;            /* other ranks: those that are not told yet, each its level, its length and its text */
    size_t length, capacity;
    unsigned char *message;  /* the last that was collected: [COMMUNICATOR_NEWS] */
    struct told_line *table; /* rank 0: of each warning a hash, and whose it is */
    size_t room, used;
};

/* Sets the news of the communicator. outer: the session's log. host_of: the machine of a rank. */
int ranks_news_open(struct ranks_news *news, struct communicator *communicator, struct log outer,
                    const char *(*host_of)(const void *cookie, int rank), const void *cookie, struct error *error);
/* What could not be told goes to the outer log, with rank and host before it. */
void ranks_news_close(struct ranks_news *news);
/* The log of the session from here on. Rank 0: all goes out. Others: warnings and errors wait until ranks next agree;
 * then rank 0 logs each as "rank 1 on HOST: ...", but for one that another rank has had in the same words. */
struct log ranks_news_log(struct ranks_news *news);

#endif
