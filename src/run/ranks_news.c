/* run/ranks_news.c -- see ranks_news.h. A message is the bytes of its lines, then records of bad images. */
#include "run/ranks_news.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "base/memory.h"

struct told_line {
    uint64_t hash; /* 0: a free place */
    int rank;
};

struct line_head {
    uint32_t level, length;
};

enum { LEAST_LINES = 4096, LEAST_TABLE = 64, LONGEST_LINE = 4096, NAME_BYTES = 128 };

/* ---- a log of one rank ---- */

/* As it is: it was escaped where it was logged. */
static void say(const struct ranks_news *news, const struct log *log, int rank, enum log_level level, const char *text)
{
    char line[NAME_BYTES + LONGEST_LINE + 1];
    if (!log->write) return;
    snprintf(line, sizeof line, "rank %d on %.64s: %.*s", rank, news->host_of(news->cookie, rank), LONGEST_LINE, text);
    log->write(log->cookie, level, line);
}

static bool has_room(struct ranks_news *news, size_t bytes)
{
    size_t larger = news->capacity ? news->capacity : LEAST_LINES;
    while (larger < news->length + bytes) larger *= 2;
    if (larger == news->capacity) return true;
    char *grown = memory_grow(news->lines, news->capacity, larger, 1);
    if (!grown) return false;
    news->lines = grown;
    news->capacity = larger;
    return true;
}

static void keep_line(void *cookie, enum log_level level, const char *text)
{
    struct ranks_news *news = cookie;
    const size_t whole = strlen(text);
    const struct line_head head = {level, (uint32_t)(whole < LONGEST_LINE ? whole : LONGEST_LINE)};
    if (level < LOG_WARNING) return;
    pthread_mutex_lock(&news->mutex);
    const bool kept = has_room(news, sizeof head + head.length);
    if (kept) {
        memcpy(news->lines + news->length, &head, sizeof head);
        memcpy(news->lines + news->length + sizeof head, text, head.length);
        news->length += sizeof head + head.length;
    }
    pthread_mutex_unlock(&news->mutex);
    if (!kept) say(news, &news->outer, news->communicator->rank, level, text);
}

/* ---- said once ---- */

static void put(struct told_line *table, size_t room, struct told_line line)
{
    size_t at = line.hash % room;
    while (table[at].hash) at = (at + 1) % room;
    table[at] = line;
}

static void widen(struct ranks_news *news)
{
    const size_t room = news->room ? 2 * news->room : LEAST_TABLE;
    struct told_line *table = memory_array(room, sizeof *table);
    if (!table) return;
    for (size_t i = 0; i < news->room; i++)
        if (news->table[i].hash) put(table, room, news->table[i]);
    memory_free(news->table);
    news->table = table;
    news->room = room;
}

/* Has another rank said the same? Without memory nothing is taken for said. */
static bool was_said(struct ranks_news *news, int rank, const char *text)
{
    const uint64_t hash = hash64(text, strlen(text), 0) | 1;
    if (2 * news->used >= news->room) widen(news);
    if (2 * news->used >= news->room) return false;
    for (size_t at = hash % news->room; news->table[at].hash; at = (at + 1) % news->room)
        if (news->table[at].hash == hash) return news->table[at].rank != rank;
    put(news->table, news->room, (struct told_line){hash, rank});
    news->used++;
    return false;
}

static void write_first(void *cookie, enum log_level level, const char *line)
{
    struct ranks_news *news = cookie;
    if (level >= LOG_WARNING) {
        pthread_mutex_lock(&news->mutex);
        (void)was_said(news, 0, line);
        pthread_mutex_unlock(&news->mutex);
    }
    if (news->outer.write) news->outer.write(news->outer.cookie, level, line);
}

struct log ranks_news_log(struct ranks_news *news)
{
    return (struct log){communicator_leads(news->communicator) ? write_first : keep_line, news};
}

/* ---- messages ---- */

/* The line at `at` of `count` bytes: the bytes that it takes, 0: there is none. text: [LONGEST_LINE + 1] out. */
static size_t read_line(struct line_head *head, char *text, const char *bytes, size_t count)
{
    if (count < sizeof *head) return 0;
    memcpy(head, bytes, sizeof *head);
    if (head->length > LONGEST_LINE || head->length > count - sizeof *head) return 0;
    memcpy(text, bytes + sizeof *head, head->length);
    text[head->length] = '\0';
    return sizeof *head + head->length;
}

/* Whole lines of those that wait, which then wait no longer. */
static size_t take_lines(struct ranks_news *news, unsigned char *out, size_t most)
{
    size_t taken = 0;
    pthread_mutex_lock(&news->mutex);
    while (taken < news->length) {
        struct line_head head;
        memcpy(&head, news->lines + taken, sizeof head);
        if (taken + sizeof head + head.length > most) break;
        taken += sizeof head + head.length;
    }
    if (taken > 0) {
        memcpy(out, news->lines, taken);
        news->length -= taken;
        memmove(news->lines, news->lines + taken, news->length);
    }
    pthread_mutex_unlock(&news->mutex);
    return taken;
}

static size_t collect(void *cookie, const void **bytes, size_t most)
{
    struct ranks_news *news = cookie;
    uint32_t lines = 0;
    if (most <= sizeof lines) return 0;
    lines = (uint32_t)take_lines(news, news->message + sizeof lines, most - sizeof lines);
    const size_t used = sizeof lines + lines,
                 images = bad_exchange_collect(&news->images, news->message + used, most - used);
    memcpy(news->message, &lines, sizeof lines);
    *bytes = news->message;
    return lines > 0 || images > 0 ? used + images : 0;
}

static void deliver(void *cookie, int rank, const void *bytes, size_t count)
{
    struct ranks_news *news = cookie;
    const unsigned char *message = bytes;
    char text[LONGEST_LINE + 1];
    uint32_t lines;
    struct line_head head;
    memcpy(&lines, message, sizeof lines);
    const char *line = (const char *)message + sizeof lines;
    for (size_t at = 0, length; (length = read_line(&head, text, line + at, lines - at)) > 0; at += length) {
        if (!communicator_leads(news->communicator)) break;
        pthread_mutex_lock(&news->mutex);
        const bool said = was_said(news, rank, text);
        pthread_mutex_unlock(&news->mutex);
        if (!said) say(news, news->into ? news->into : &news->outer, rank, (enum log_level)head.level, text);
    }
    bad_exchange_deliver(&news->images, message + sizeof lines + lines, count - sizeof lines - lines);
}

/* ---- coming and going ---- */

static void spill(void *cookie)
{
    struct ranks_news *news = cookie;
    char text[LONGEST_LINE + 1];
    struct line_head head;
    pthread_mutex_lock(&news->mutex);
    for (size_t at = 0, length; (length = read_line(&head, text, news->lines + at, news->length - at)) > 0;
         at += length)
        say(news, &news->outer, news->communicator->rank, (enum log_level)head.level, text);
    news->length = 0;
    pthread_mutex_unlock(&news->mutex);
}

int ranks_news_open(struct ranks_news *news, struct communicator *communicator, struct log outer,
                    const char *(*host_of)(const void *cookie, int rank), const void *cookie, struct error *error)
{
    *news = (struct ranks_news){.news = {news, collect, deliver, spill},
                                .communicator = communicator,
                                .host_of = host_of,
                                .cookie = cookie,
                                .outer = outer,
                                .message = memory_allocate(COMMUNICATOR_NEWS)};
    if (!news->message) return error_no_memory(error, "messages of ranks", COMMUNICATOR_NEWS);
    pthread_mutex_init(&news->mutex, NULL);
    communicator->news = &news->news;
    return SIMCLR_OK;
}

void ranks_news_close(struct ranks_news *news)
{
    if (!news->message) return;
    spill(news);
    news->communicator->news = NULL;
    pthread_mutex_destroy(&news->mutex);
    memory_free(news->lines);
    memory_free(news->message);
    memory_free(news->table);
    *news = (struct ranks_news){0};
}
