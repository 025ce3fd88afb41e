/* simclr/status.h -- the status codes that every fallible call of libsimclr returns. */
#ifndef SIMCLR_STATUS_H
#define SIMCLR_STATUS_H

/* 0 is success; every failure is negative, and simclr_error() has the sentence that explains it. */
typedef enum simclr_status {
    SIMCLR_OK = 0,
    SIMCLR_INVALID = -1,     /* an option, argument or recipe is wrong                    */
    SIMCLR_NO_MEMORY = -2,   /* an allocation failed                                      */
    SIMCLR_IO = -3,          /* a file could not be read or written                       */
    SIMCLR_CORRUPT = -4,     /* a file's contents are not what its format promises        */
    SIMCLR_UNSUPPORTED = -5, /* valid, but not something this build or machine can do     */
    SIMCLR_DEVICE = -6,      /* the compute device failed                                 */
    SIMCLR_DATA = -7,        /* the data set is missing, empty or has too many bad images */
    SIMCLR_INTERRUPTED = -8, /* stopped by request; training wrote a checkpoint before    */
    SIMCLR_DIVERGED = -9,    /* ten steps in a row were not finite and were skipped       */
    SIMCLR_BUSY = -10,       /* the run folder is in use by another process               */
    SIMCLR_UNEXPECTED = -11  /* verify: a run is not what its recipe expects              */
} simclr_status;

#endif
