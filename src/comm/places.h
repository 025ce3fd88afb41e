/* comm/places.h -- the folders in which the library of an engine may lie. */
#ifndef COMM_PLACES_H
#define COMM_PLACES_H

enum { PLACES_MOST = 4 };

/* Start from {0}; release with places_free. */
struct places {
    char *folder[PLACES_MOST]; /* absolute, without ".." where the files are; none stands there twice */
    int count;
};
void places_free(struct places *places);

/* In their order, by the file of the program that runs and by that of libsimclr, where the library is a file of its
 * own; NULL: there is none, or nobody knows.
 *
 *  1. The folder of libsimclr, or else of the program. A build folder has all in one.
 *  2. Where it is installed, as seen from that file: an installation may lie at another prefix than it was built for.
 *  3. The folder of the program.
 *  4. Where it is installed by the prefix that it was built for. */
void places_of(struct places *out, const char *program, const char *library);

/* The same of the process that runs. */
void places_here(struct places *out);

#endif
