/* base/signature.c -- see signature.h. A row is a kind of file that people do have where data sets are; the first row
 * that fits counts. */
#include "base/signature.h"

#include <stdbool.h>
#include <string.h>

#include "base/checksum.h"
#include "base/letters.h"
#include "base/lines.h"

#define UNPACK_AND_GIVE "unpack it, and give the folder"
#define UNPACK_TAR UNPACK_AND_GIVE " (tar xf; .tar.gz, .tar.zst, .tar and .zip are read as they are)"
#define FRAMES "write its frames out as pictures, and give their folder"
#define PAGES "write its pictures out, and give their folder"
#define DAMAGED "it is damaged: copy it again or remove it"
#define GIVE_IMAGES "give a folder of images, or a list with one path a line"
#define LFS "fetch the file that it stands for: git lfs pull"
#define CONVERT "convert it to JPEG or PNG, or remove it"
#define NO_PICTURE "remove it, or give only the folder with the pictures"
#define AGAIN "download it again or remove it"
#define GIVE_FOLDER "give the folder that it lies in, or a list that names it"
#define EXTRACT "write its images out as files (or as tar shards), and give their folder"
#define UNPICKLE                                                                                                       \
    "only Python can read it. Convert it there, once: import torch, safetensors.torch; w = torch.load('IN', "          \
    "map_location='cpu'); w = w.get('state_dict', w); safetensors.torch.save_file({k: v.contiguous() for k, v in "     \
    "w.items()}, 'OUT.safetensors')"
#define SAVE_AGAIN                                                                                                     \
    "it is as PyTorch wrote files before 1.6. Save it again there, once: import torch; torch.save(torch.load('IN', "   \
    "map_location='cpu'), 'OUT.pth')"
#define AS_SAFETENSORS "write its arrays as safetensors, in Python"
#define WEIGHTS "weights are given with --checkpoint, images with --data"

/* ---- what has no fixed bytes at a fixed place ---- */

static bool is_text(const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] < 0x20 && (bytes[i] < '\t' || bytes[i] > '\r')) return false;
    return count > 0;
}

static bool same_letter(char a, char b)
{
    return letter_small(a) == letter_small(b);
}

/* Does a text begin so, after blank space and a byte order mark, in any case of letters? */
static bool text_begins(const uint8_t *bytes, size_t count, const char *start)
{
    size_t at = lines_byte_order_length(bytes, count);
    while (at < count && (bytes[at] == ' ' || (bytes[at] >= '\t' && bytes[at] <= '\r'))) at++;
    for (; *start != '\0'; start++, at++)
        if (at >= count || !same_letter((char)bytes[at], *start)) return false;
    return true;
}

static bool is_html(const uint8_t *bytes, size_t count)
{
    static const char *const starts[] = {"<!doctype html", "<html", "<head", "<body", "<title", "<script", "<div"};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (text_begins(bytes, count, starts[i])) return true;
    return false;
}

static bool is_svg(const uint8_t *bytes, size_t count)
{
    if (text_begins(bytes, count, "<svg") || text_begins(bytes, count, "<!doctype svg")) return true;
    for (size_t i = 0; text_begins(bytes, count, "<?xml") && i + 4 <= count; i++)
        if (memcmp(bytes + i, "<svg", 4) == 0) return true;
    return false;
}

static bool is_xml(const uint8_t *bytes, size_t count)
{
    return text_begins(bytes, count, "<?xml") || text_begins(bytes, count, "<error") ||
           text_begins(bytes, count, "<!doctype");
}

/* An object, or an array of objects, texts or arrays: not a list whose first folder is called "[a]". */
static bool is_json(const uint8_t *bytes, size_t count)
{
    size_t at = 0;
    if (!text_begins(bytes, count, "{") && !text_begins(bytes, count, "[")) return false;
    while (bytes[at] != '{' && bytes[at] != '[') at++;
    const bool array = bytes[at++] == '[';
    while (at < count && (bytes[at] == ' ' || (bytes[at] >= '\t' && bytes[at] <= '\r'))) at++;
    if (at == count) return false;
    return bytes[at] == '"' || (array ? bytes[at] == '{' || bytes[at] == '[' : bytes[at] == '}');
}

/* The last row of texts: whatever it is, no picture. */
static bool is_any(const uint8_t *bytes, size_t count)
{
    (void)bytes;
    return count > 0;
}

static uint32_t little(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* The name of a zip archive's first file; its length is 0 for what is no zip. */
static const char *first_in_zip(const uint8_t *bytes, size_t count, size_t *length)
{
    *length = 0;
    if (count < 30 || memcmp(bytes, "PK\3\4", 4) != 0) return "";
    *length = (size_t)bytes[26] | (size_t)bytes[27] << 8;
    if (*length > count - 30) *length = count - 30;
    return (const char *)bytes + 30;
}

static bool zip_has(const uint8_t *bytes, size_t count, const char *ending)
{
    size_t length;
    const char *name = first_in_zip(bytes, count, &length);
    const size_t tail = strlen(ending);
    return length >= tail && memcmp(name + length - tail, ending, tail) == 0;
}

static bool is_npz(const uint8_t *bytes, size_t count)
{
    return zip_has(bytes, count, ".npy");
}

static bool is_torch(const uint8_t *bytes, size_t count)
{
    return zip_has(bytes, count, "/data.pkl");
}

static bool is_old_torch(const uint8_t *bytes, size_t count)
{
    static const char magic[] = "\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19"; /* a number, pickled */
    return count >= sizeof magic - 1 && memcmp(bytes, magic, sizeof magic - 1) == 0;
}

/* Protocols 2 to 5 begin with two bytes; what follows is an opcode of how pickles begin. */
static bool is_pickle(const uint8_t *bytes, size_t count)
{
    return count > 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5 && strchr("}]()KXcl\x95\x8C\x8A", bytes[2]);
}

/* A record's length is followed by its masked CRC: nothing else has that by chance. */
static bool is_tfrecord(const uint8_t *bytes, size_t count)
{
    if (count < 12) return false;
    const uint32_t crc = crc32c(bytes, 8);
    return little(bytes + 8) == (crc >> 15 | crc << 17) + 0xA282EAD8u;
}

static bool is_safetensors(const uint8_t *bytes, size_t count)
{
    return count > 10 && little(bytes + 4) == 0 && little(bytes) >= 2 && bytes[8] == '{' && bytes[9] == '"';
}

/* A mark and the size of the message that follows, which is a schema: small, in whole words. */
static bool is_arrow_stream(const uint8_t *bytes, size_t count)
{
    return count >= 12 && little(bytes) == 0xFFFFFFFFu && little(bytes + 4) % 8 == 0 && little(bytes + 4) < 1 << 24;
}

static bool is_idx(const uint8_t *bytes, size_t count)
{
    return count >= 8 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] >= 8 && bytes[2] <= 0x0E && bytes[2] != 0x0A &&
           bytes[3] >= 1 && bytes[3] <= 4;
}

static bool is_disk_image(const uint8_t *bytes, size_t count)
{
    return (count >= 4 && memcmp(bytes, "hsqs", 4) == 0) || (count >= 512 && bytes[510] == 0x55 && bytes[511] == 0xAA);
}

/* ---- the table ---- */

/* Told by `magic` at `offset`, or by `is`. A row of `text` is looked for in texts only, the others in all but texts: so
 * that a list of images whose first line begins with "BM" or "PK" is none of these. */
struct row {
    struct signature signature;
    const char *magic;
    size_t offset, length;
    bool (*is)(const uint8_t *bytes, size_t count);
    bool text;
    const char *endings; /* with blanks between */
};

#define PICTURE(what, as_set, as_picture) .signature = {what, as_set, as_picture, true, NULL}
#define OTHER(what, as_set, as_picture) .signature = {what, as_set, as_picture, false, NULL}
#define MAYBE_WEIGHTS(what, as_set, as_picture, as_weights) .signature = {what, as_set, as_picture, false, as_weights}
#define BINARY_AT(where, bytes) .magic = (bytes), .offset = (where), .length = sizeof(bytes) - 1
#define TEXT_AT(where, bytes) BINARY_AT(where, bytes), .text = true
#define BINARY_BY(function) .is = (function)
#define TEXT_BY(function) .is = (function), .text = true

/* clang-format off */
static const struct row rows[] = {
    /* Pictures that are read. */
    {PICTURE("a JPEG picture", GIVE_FOLDER, DAMAGED), BINARY_AT(0, "\xFF\xD8\xFF"), .endings = ".jpg .jpeg .jfif .jpe"},
    {PICTURE("a PNG picture", GIVE_FOLDER, DAMAGED), BINARY_AT(0, "\x89PNG\r\n\x1A\n"), .endings = ".png"},
    {PICTURE("a WebP picture", GIVE_FOLDER, "this build reads no WebP: " CONVERT), BINARY_AT(8, "WEBP"),
     .endings = ".webp"},

    /* Pictures that are not. */
    {PICTURE("a GIF picture", CONVERT, CONVERT), BINARY_AT(0, "GIF8"), .endings = ".gif"},
    {PICTURE("a GIF picture", CONVERT, CONVERT), TEXT_AT(0, "GIF89a")}, /* a tiny one may have no zero byte */
    {PICTURE("a BMP picture", CONVERT, CONVERT), BINARY_AT(0, "BM"), .endings = ".bmp .dib"},
    {PICTURE("a raw photo (CR2)", CONVERT, CONVERT), BINARY_AT(0, "II*\0\x10\0\0\0CR"),
     .endings = ".cr2 .cr3 .nef .arw .dng .raf .orf .rw2"},
    {PICTURE("a TIFF picture", GIVE_FOLDER, CONVERT), BINARY_AT(0, "II*\0"), .endings = ".tif .tiff"},
    {PICTURE("a TIFF picture", GIVE_FOLDER, CONVERT), BINARY_AT(0, "MM\0*")},
    {PICTURE("a TIFF picture (BigTIFF)", GIVE_FOLDER, CONVERT), BINARY_AT(0, "II+\0")},
    {PICTURE("an AVIF picture", CONVERT, CONVERT), BINARY_AT(4, "ftypavi"), .endings = ".avif"},
    {PICTURE("a HEIC picture", CONVERT, CONVERT), BINARY_AT(4, "ftyphei"), .endings = ".heic .heif"},
    {PICTURE("a HEIC picture", CONVERT, CONVERT), BINARY_AT(4, "ftypmif1")},
    {OTHER("a film (MP4, MOV)", FRAMES, NO_PICTURE), BINARY_AT(4, "ftyp"), .endings = ".mp4 .mov .m4v"},
    {OTHER("a film (Matroska, WebM)", FRAMES, NO_PICTURE), BINARY_AT(0, "\x1A\x45\xDF\xA3"), .endings = ".mkv .webm"},
    {OTHER("a film (AVI)", FRAMES, NO_PICTURE), BINARY_AT(8, "AVI "), .endings = ".avi"},
    {PICTURE("a JPEG 2000 picture", CONVERT, CONVERT), BINARY_AT(0, "\0\0\0\x0CjP"), .endings = ".jp2 .j2k"},
    {PICTURE("a JPEG XL picture", CONVERT, CONVERT), BINARY_AT(0, "\0\0\0\x0CJXL "), .endings = ".jxl"},
    {PICTURE("a JPEG XL picture", CONVERT, CONVERT), BINARY_AT(0, "\xFF\x0A")},
    {PICTURE("a Windows icon", CONVERT, CONVERT), BINARY_AT(0, "\0\0\1\0"), .endings = ".ico"},
    {PICTURE("a Photoshop file", CONVERT, CONVERT), BINARY_AT(0, "8BPS"), .endings = ".psd"},
    {PICTURE("an OpenEXR picture", CONVERT, CONVERT), BINARY_AT(0, "\x76\x2F\x31\x01"), .endings = ".exr"},
    {PICTURE("a DICOM picture", CONVERT, CONVERT), BINARY_AT(128, "DICM"), .endings = ".dcm"},
    {PICTURE("a PPM picture", CONVERT, CONVERT), BINARY_AT(0, "P6"), .endings = ".ppm .pnm"},
    {PICTURE("a PGM picture", CONVERT, CONVERT), BINARY_AT(0, "P5"), .endings = ".pgm"},
    {PICTURE("a FITS picture", CONVERT, CONVERT), BINARY_AT(0, "SIMPLE  ="), .endings = ".fits"},
    {OTHER("a PDF document", PAGES, CONVERT), BINARY_AT(0, "%PDF"), .endings = ".pdf"},
    {OTHER("a PDF document", PAGES, CONVERT), TEXT_AT(0, "%PDF")},
    {PICTURE("an SVG drawing", CONVERT, CONVERT), TEXT_BY(is_svg), .endings = ".svg"},

    /* Archives that are not read. */
    {OTHER("an xz archive (as .tar.xz)", UNPACK_TAR, NO_PICTURE), BINARY_AT(0, "\xFD" "7zXZ"), .endings = ".xz .txz"},
    {OTHER("a bzip2 archive (as .tar.bz2)", UNPACK_TAR, NO_PICTURE), BINARY_AT(0, "BZh"), .endings = ".bz2 .tbz .tbz2"},
    {OTHER("a 7-Zip archive", UNPACK_AND_GIVE " (7z x)", NO_PICTURE), BINARY_AT(0, "7z\xBC\xAF\x27\x1C"),
     .endings = ".7z"},
    {OTHER("a RAR archive", UNPACK_AND_GIVE " (unrar x)", NO_PICTURE), BINARY_AT(0, "Rar!\x1A\x07"), .endings = ".rar"},
    {OTHER("an lz4 archive", UNPACK_AND_GIVE " (lz4 -d)", NO_PICTURE), BINARY_AT(0, "\x04\x22\x4D\x18"),
     .endings = ".lz4"},
    {OTHER("an lzip archive", UNPACK_AND_GIVE " (lzip -d)", NO_PICTURE), BINARY_AT(0, "LZIP"), .endings = ".lz"},
    {OTHER("an archive of compress (.Z)", UNPACK_AND_GIVE " (uncompress)", NO_PICTURE), BINARY_AT(0, "\x1F\x9D"),
     .endings = ".z"},
    {OTHER("an lzma archive", UNPACK_AND_GIVE " (unlzma)", NO_PICTURE), BINARY_AT(0, "\x5D\0\0"),
     .endings = ".lzma .tlz"},
    {OTHER("a Windows cabinet archive", UNPACK_AND_GIVE, NO_PICTURE), BINARY_AT(0, "MSCF"), .endings = ".cab"},
    {OTHER("a cpio archive", UNPACK_AND_GIVE " (cpio -id)", NO_PICTURE), BINARY_AT(0, "070701"), .endings = ".cpio"},
    {OTHER("a Debian package or ar archive", UNPACK_AND_GIVE, NO_PICTURE), BINARY_AT(0, "!<arch>\n"),
     .endings = ".deb"},

    /* Arrays, tables and data bases. */
    {MAYBE_WEIGHTS("an .npz file of NumPy arrays", EXTRACT, NO_PICTURE, AS_SAFETENSORS), BINARY_BY(is_npz), .endings = ".npz"},
    {MAYBE_WEIGHTS("a NumPy array (.npy)", EXTRACT, NO_PICTURE, AS_SAFETENSORS), BINARY_AT(0, "\x93NUMPY"), .endings = ".npy"},
    {MAYBE_WEIGHTS("an HDF5 file (.h5, .mat of version 7.3)", EXTRACT, NO_PICTURE, AS_SAFETENSORS), BINARY_AT(0, "\x89HDF\r\n\x1A\n"),
     .endings = ".h5 .hdf5"},
    {OTHER("a MATLAB file (.mat)", EXTRACT, NO_PICTURE), BINARY_AT(0, "MATLAB 5.0"), .endings = ".mat"},
    {OTHER("a MATLAB file (.mat)", EXTRACT, NO_PICTURE), TEXT_AT(0, "MATLAB 5.0")},
    {OTHER("a Parquet file (as Hugging Face has them)", EXTRACT, NO_PICTURE), BINARY_AT(0, "PAR1"),
     .endings = ".parquet"},
    {OTHER("an Arrow file (as Hugging Face has them)", EXTRACT, NO_PICTURE), BINARY_AT(0, "ARROW1"),
     .endings = ".arrow .feather"},
    {OTHER("an Arrow file (as Hugging Face has them)", EXTRACT, NO_PICTURE), BINARY_BY(is_arrow_stream)},
    {OTHER("an Avro file", EXTRACT, NO_PICTURE), BINARY_AT(0, "Obj\1"), .endings = ".avro"},
    {OTHER("an LMDB data base", EXTRACT, NO_PICTURE), BINARY_AT(16, "\xDE\xC0\xEF\xBE"), .endings = ".mdb .lmdb"},
    {OTHER("an SQLite data base", EXTRACT, NO_PICTURE), BINARY_AT(0, "SQLite format 3"),
     .endings = ".sqlite .sqlite3 .db"},
    {OTHER("a RecordIO file (MXNet's)", EXTRACT, NO_PICTURE), BINARY_AT(0, "\x0A\x23\xD7\xCE"), .endings = ".rec"},
    {OTHER("a TFRecord file (TensorFlow's)", EXTRACT, NO_PICTURE), BINARY_BY(is_tfrecord),
     .endings = ".tfrecord .tfrecords"},
    {OTHER("an IDX file (MNIST's)", EXTRACT, NO_PICTURE), BINARY_BY(is_idx), .endings = ".idx .ubyte"},
    {MAYBE_WEIGHTS("weights or data of PyTorch (.pth, .pt, .ckpt: a pickle)", WEIGHTS, NO_PICTURE, UNPICKLE),
     BINARY_BY(is_torch),
     .endings = ".pth .pt .ckpt"},
    {MAYBE_WEIGHTS("weights or data of PyTorch (.pth, .pt, .ckpt: a pickle)", WEIGHTS, NO_PICTURE, SAVE_AGAIN),
     BINARY_BY(is_old_torch)},
    {MAYBE_WEIGHTS("a Python pickle", EXTRACT, NO_PICTURE, UNPICKLE), BINARY_BY(is_pickle), .endings = ".pkl .pickle"},
    {OTHER("a safetensors file", WEIGHTS, NO_PICTURE), BINARY_BY(is_safetensors), .endings = ".safetensors"},
    {OTHER("a GGUF file", WEIGHTS, NO_PICTURE), BINARY_AT(0, "GGUF"), .endings = ".gguf"},
    {OTHER("an ONNX model", WEIGHTS, NO_PICTURE), .endings = ".onnx"},

    /* What a failed download, a copy or a system leaves. */
    {OTHER("a text in UTF-16", "save it as UTF-8", AGAIN), BINARY_AT(0, "\xFF\xFE")},
    {OTHER("a text in UTF-16", "save it as UTF-8", AGAIN), BINARY_AT(0, "\xFE\xFF")},
    {MAYBE_WEIGHTS("a Git LFS pointer, not the file", LFS, LFS, LFS), TEXT_AT(0, "version https://git-lfs")},
    {MAYBE_WEIGHTS("an HTML page", AGAIN, AGAIN, AGAIN), TEXT_BY(is_html), .endings = ".html .htm"},
    {OTHER("an XML text", GIVE_IMAGES, AGAIN), TEXT_BY(is_xml), .endings = ".xml"},
    {OTHER("a JSON text", GIVE_IMAGES, AGAIN), TEXT_BY(is_json), .endings = ".json .jsonl"},
    {OTHER("what macOS keeps beside a file (AppleDouble)", "give the file without ._ before its name", "remove it"),
     BINARY_AT(0, "\0\5\x16\7")},
    {OTHER("a Windows shortcut", "give what it points at", "remove it"), BINARY_AT(0, "L\0\0\0\1\x14\2"),
     .endings = ".lnk"},
    {OTHER("a program", GIVE_IMAGES, NO_PICTURE), BINARY_AT(0, "\x7F" "ELF")},
    {OTHER("a Windows program", GIVE_IMAGES, NO_PICTURE), BINARY_AT(0, "MZ"), .endings = ".exe .dll"},
    {OTHER("a script", GIVE_IMAGES, NO_PICTURE), TEXT_AT(0, "#!/"), .endings = ".sh .py .ipynb"},
    {OTHER("a text", NULL, AGAIN), TEXT_BY(is_any), .endings = ".txt .csv .tsv .md"},
    {OTHER("a disk image", "mount it, and give the folder", NO_PICTURE), BINARY_BY(is_disk_image),
     .endings = ".iso .img .dmg"},
};
/* clang-format on */

const struct signature *signature_find(const uint8_t *bytes, size_t count)
{
    const size_t looked_at = count < SIGNATURE_BYTES ? count : SIGNATURE_BYTES;
    const bool text = is_text(bytes, looked_at);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *row = &rows[i];
        if (row->text != text) continue;
        const bool magic = row->length > 0 && looked_at >= row->offset + row->length &&
                           memcmp(bytes + row->offset, row->magic, row->length) == 0;
        if (magic || (row->is && row->is(bytes, looked_at))) return &row->signature;
    }
    return NULL;
}

/* Is `ending` one of the words of ".tif .tiff"? */
static bool is_one_of(const char *endings, const char *ending)
{
    const size_t length = strlen(ending);
    for (const char *word = endings; word && *word != '\0';) {
        const size_t span = strcspn(word, " ");
        size_t same = 0;
        while (span == length && same < length && same_letter(word[same], ending[same])) same++;
        if (span == length && same == length) return true;
        word += span + (word[span] == ' ');
    }
    return false;
}

const struct signature *signature_of_name(const char *name)
{
    const char *slash = strrchr(name, '/'), *dot = strrchr(slash ? slash : name, '.');
    for (size_t i = 0; dot && dot[1] != '\0' && i < sizeof rows / sizeof *rows; i++)
        if (is_one_of(rows[i].endings, dot)) return &rows[i].signature;
    return NULL;
}
