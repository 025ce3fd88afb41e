/* base/log.h -- the library never prints: it hands lines to a sink. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_DEBUG = 0, LOG_INFO = 1, LOG_WARNING = 2, LOG_ERROR = 3 };

/* `write` gets one line without newline, in which names are escaped (base/escape.h): the one place where lines of the
 * log become so. It may be called from any thread. A struct log is a value; NULL
 * `write` drops everything. */
struct log {
    void (*write)(void *cookie, enum log_level level, const char *line);
    void *cookie;
};

void log_line(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Two sinks as one: every line goes to `first`, then to `second`. `tee` is the caller's and outlives the log. */
struct log_tee {
    struct log first, second;
};
struct log log_tee(struct log_tee *tee, struct log first, struct log second);

#define log_debug(log, ...) log_line((log), LOG_DEBUG, __VA_ARGS__)
#define log_info(log, ...) log_line((log), LOG_INFO, __VA_ARGS__)
#define log_warning(log, ...) log_line((log), LOG_WARNING, __VA_ARGS__)

#endif
