/* data/sets/synthetic.h -- the built-in set: pictures drawn by our own code, so that a first run needs no data.
 *
 * The class is a shape or texture repeated over the picture. Whatever else makes a picture is drawn afresh: colours,
 * place, size, rotation, clutter, light. It varies as much inside one picture as between pictures. So two crops of one
 * picture have the class in common and little more, and a network that learns to match them learns the class. Pictures
 * of one class share next to nothing pixel by pixel. */
#ifndef DATA_SYNTHETIC_H
#define DATA_SYNTHETIC_H

#include <stdint.h>

enum { SYNTHETIC_CLASSES = 10 };

const char *synthetic_class_name(int label);

/* Picture `index` has class index % SYNTHETIC_CLASSES. part: 0 train, 1 test (other pictures of the same classes).
 * rgb: [size][size][3]. Depends on the arguments only (stream RNG_SYNTHETIC, epoch = part, item = index). */
void synthetic_render(uint64_t seed, int part, uint32_t index, int size, uint8_t *rgb);

#endif
