#include "KernelTable.h"

#include <math.h>
#include <string.h>

// Panels are [outputs/16][steps][16][inputs of a step]: what a tile reads lies in one line of memory.

size_t engine_padded_outputs(size_t outputs) { return round_up(outputs, PANEL); }

size_t engine_panel_bytes(engine_type numbers, size_t outputs, size_t inputs) {
  size_t padded = round_up(outputs, PANEL);
  switch (numbers) {
    case ENGINE_TYPE_INT8: return padded * round_up(inputs, 4);
    case ENGINE_TYPE_BFLOAT16: return padded * round_up(inputs, 2) * sizeof(uint16_t);
    default: return padded * inputs * sizeof(float);
  }
}

void engine_pack_float32(size_t first, size_t count, size_t inputs, const float *rows,
                         float *panels) {
  for (size_t output = first; output < first + count; output++, rows += inputs) {
    float *column = panels + output / PANEL * PANEL * inputs + output % PANEL;
    for (size_t i = 0; i < inputs; i++) column[i * PANEL] = rows[i];
  }
}

static uint16_t brain(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  if (value != value) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

void engine_pack_bfloat16(size_t first, size_t count, size_t inputs, const float *rows,
                          uint16_t *panels) {
  size_t steps = round_up(inputs, 2) / 2;
  for (size_t output = first; output < first + count; output++, rows += inputs) {
    uint16_t *column = panels + (output / PANEL * steps * PANEL + output % PANEL) * 2;
    for (size_t i = 0; i < inputs; i++) column[i / 2 * 2 * PANEL + i % 2] = brain(rows[i]);
  }
}

/// One output's weights, `width` inputs a step.
static void pack_bytes(size_t width, size_t steps, size_t output, size_t inputs, const int8_t *row,
                       int8_t *panels) {
  size_t whole = inputs / width;
  int8_t *column = panels + (output / PANEL * steps * PANEL + output % PANEL) * width;
  // A copy of a constant size is one instruction.
  if (width == 4)
    for (size_t i = 0; i < whole; i++) memcpy(column + i * 4 * PANEL, row + i * 4, 4);
  else
    for (size_t i = 0; i < whole; i++) memcpy(column + i * 2 * PANEL, row + i * 2, 2);
  memcpy(column + whole * width * PANEL, row + whole * width, inputs - whole * width);
}

void engine_pack_int8(engine_path path, size_t first, size_t count, size_t outputs, size_t inputs,
                      size_t group, const int8_t *rows, int8_t *panels, int32_t *starts) {
  size_t width = engine_step_inputs(path), padded = round_up(outputs, PANEL);
  for (size_t output = first; output < first + count; output++, rows += inputs) {
    pack_bytes(width, round_up(inputs, 4) / width, output, inputs, rows, panels);
    for (size_t start = 0; start < inputs; start += group) {
      size_t end = inputs - start < group ? inputs : start + group;
      int32_t sum = 0;
      for (size_t i = start; i < end; i++) sum += rows[i];
      // Four inputs a step are bytes with 128 added.
      starts[start / group * padded + output] = width == 4 ? -128 * sum : 0;
    }
  }
}

void engine_pack_widened(size_t first, size_t count, size_t inputs, const int8_t *rows,
                         int8_t *panels) {
  for (size_t output = first; output < first + count; output++, rows += inputs)
    pack_bytes(2, round_up(inputs, 2) / 2, output, inputs, rows, panels);
}

float engine_quantise_weights(size_t count, const float *row, int8_t *out) {
  float most = 0, poison = 0;
  for (size_t i = 0; i < count; i++) {
    float size = fabsf(row[i]);
    most = size > most ? size : most;
    poison += row[i] * 0.0f;
  }
  float inverse = most > 1e-35f ? 127.0f / most : 0.0f;
  if (inverse == 0.0f || poison != 0.0f) {
    memset(out, 0, count);
    return poison;
  }
  for (size_t i = 0; i < count; i++) out[i] = (int8_t)rintf(row[i] * inverse);
  return most / 127.0f;
}
