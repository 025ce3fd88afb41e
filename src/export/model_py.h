/* export/model_py.h -- the text of model.py beside this file, which the build copies into the library
 * (cmake/embed.cmake). */
#ifndef EXPORT_MODEL_PY_H
#define EXPORT_MODEL_PY_H

#include <stddef.h>

extern const char export_model_py[];
extern const size_t export_model_py_bytes;

#endif
