/* backend/cpu/vector/octets.h -- how vector kernels with sixteen registers go through octets (positions, or tiles of
 * Winograd, of eight images). One octet alone is two register tiles of four rows, whose eight accumulators are too few
 * to hide the latency of the multiply units and which read all weights twice for eight rows. Two or three octets that
 * meet the same weights are tiles of five and six rows instead:
 *
 *     octets      00000000 11111111          00000000 11111111 22222222
 *     tiles       000000|1 1111|222          000000|11 1111|2222 22|333333        (2: of them 3; 3: of them 4)
 *
 * A tile that spans two octets has two base addresses instead of one, which costs nothing. */
#ifndef BACKEND_CPU_OCTETS_H
#define BACKEND_CPU_OCTETS_H

#include <stdint.h>

/* Rows of one octet and of the next. */
enum octet_tile { OCTETS_6, OCTETS_5, OCTETS_2_4, OCTETS_4_2, OCTETS_2_3, OCTET_TILES };

struct octet_part {
    uint8_t tile, octet, image; /* its kind; where its first row is */
};

enum { MOST_OCTETS = 3 };

/* The tiles of two or three octets. */
static inline const struct octet_part *octet_parts(int octets, int *count)
{
    static const struct octet_part two[] = {{OCTETS_6, 0, 0}, {OCTETS_2_3, 0, 6}, {OCTETS_5, 1, 3}};
    static const struct octet_part three[] = {
        {OCTETS_6, 0, 0}, {OCTETS_2_4, 0, 6}, {OCTETS_4_2, 1, 4}, {OCTETS_6, 2, 2}};
    *count = octets == 3 ? 4 : 3;
    return octets == 3 ? three : two;
}

/* How many of the octets (or tiles) that are left go together: of four, two and two rather than three and one. */
static inline int octets_together(int left, int most)
{
    if (most == 3 && left == 4) return 2;
    return left < most ? left : most;
}

#endif
