/* image/orient.c -- a picture turned and mirrored as EXIF's orientation asks. */
#include <string.h>

#include "base/memory.h"
#include "image/image.h"

/* Where a pixel of the result comes from: its place is start + x * across + y * down in the stored one. */
struct walk {
    int64_t start, across, down;
};

static struct walk walk_of(int orientation, int64_t width, int64_t height)
{
    const int64_t last = width * height - 1;
    switch (orientation) {
    case 2:
        return (struct walk){width - 1, -1, width};
    case 3:
        return (struct walk){last, -1, -width};
    case 4:
        return (struct walk){last + 1 - width, 1, -width};
    case 5:
        return (struct walk){0, width, 1};
    case 6:
        return (struct walk){last + 1 - width, -width, 1};
    case 7:
        return (struct walk){last, -width, -1};
    case 8:
        return (struct walk){width - 1, width, -1};
    default:
        return (struct walk){0, 1, width};
    }
}

bool image_is_turned(int orientation)
{
    return orientation >= 5 && orientation <= 8;
}

/* Which axes of the stored picture run the other way than the upright one's. */
static bool is_mirrored_across(int orientation)
{
    return orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
}

static bool is_mirrored_down(int orientation)
{
    return orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
}

static struct box mirror(struct box box, int orientation, int width, int height)
{
    if (is_mirrored_across(orientation)) box.x = width - box.x - box.width;
    if (is_mirrored_down(orientation)) box.y = height - box.y - box.height;
    return box;
}

static struct box turn(struct box box, int orientation)
{
    return image_is_turned(orientation) ? (struct box){box.y, box.x, box.height, box.width} : box;
}

struct box image_box_stored(struct box upright, int orientation, int stored_width, int stored_height)
{
    return mirror(turn(upright, orientation), orientation, stored_width, stored_height);
}

struct box image_box_upright(struct box stored, int orientation, int stored_width, int stored_height)
{
    return turn(mirror(stored, orientation, stored_width, stored_height), orientation);
}

int image_orient(struct image *image, int orientation, struct error *error)
{
    enum { TILE = 32 }; /* both the rows read and the rows written of a tile stay in the cache */
    if (orientation < 2 || orientation > 8) return SIMCLR_OK;
    const bool turned = image_is_turned(orientation);
    struct image out;
    const int status =
        image_create(turned ? image->height : image->width, turned ? image->width : image->height, &out, error);
    if (status != SIMCLR_OK) return status;
    const struct walk walk = walk_of(orientation, image->width, image->height);
    for (int top = 0; top < out.height; top += TILE)
        for (int left = 0; left < out.width; left += TILE)
            for (int y = top; y < out.height && y < top + TILE; y++) {
                uint8_t *to = out.rgb + ((size_t)y * (size_t)out.width + (size_t)left) * 3;
                const uint8_t *from = image->rgb + (walk.start + left * walk.across + y * walk.down) * 3;
                for (int x = left; x < out.width && x < left + TILE; x++, to += 3, from += walk.across * 3)
                    memcpy(to, from, 3);
            }
    image_free(image);
    *image = out;
    return SIMCLR_OK;
}
