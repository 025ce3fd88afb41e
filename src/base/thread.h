/* base/thread.h -- starting a thread of the program's own. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* As pthread_create, whose error number it returns: 0, or why there is no thread. Signals belong to the caller's
 * threads: the new one has all of them blocked. */
int thread_start(pthread_t *out, void *(*run)(void *argument), void *argument);

#endif
