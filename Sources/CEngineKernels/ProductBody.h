/// The matrix product, written once for all kinds of numbers. Included after these are defined:
///
///   KIND          prefix of the functions' names; KIND_load_weights (one step's weights of a panel)
///                 and KIND_multiply_add (sums, with the products of one step added) exist already
///   SUM           what a register of sums is: vec, or ivec for integers
///   WEIGHTS       what a register of weights is
///   WEIGHT_STEP   bytes that a panel's weights take for one step along k
///   TILE_ROWS, TILE_PANELS   the part of the product that is kept in registers
///   INTEGERS      defined for integers, whose sums are scaled
///
/// A step takes four bytes of each row: one float, two bfloat16, two 16-bit or four 8-bit integers.

/// rows × (panels · 16) outputs, kept in registers over all of k, or over one group of it. rows and
/// panels are constants where this is called, so that the loops over them vanish.
INLINE void JOIN(KIND, tile)(const size_t rows, const size_t panels, const product *p,
                             size_t row, size_t column) {
  size_t steps = p->steps, columns = p->outputs - column;
  const uint8_t *a = p->input + row * p->input_stride;
  const uint8_t *weights_here = p->panels + column / PANEL * steps * WEIGHT_STEP;
#if defined(INTEGERS)
  vec partial[TILE_ROWS][TILE_PANELS];
  for (size_t group = 0, first = 0; group < p->groups; group++, first += p->group_steps) {
    size_t end = steps - first < p->group_steps ? steps : first + p->group_steps;
#else
  size_t first = 0, end = steps;
#endif
  SUM sums[TILE_ROWS][TILE_PANELS];
  UNROLL for (size_t panel = 0; panel < panels; panel++) {
#if defined(INTEGERS)
    SUM start = *(const ivec_unaligned *)(p->starts + group * p->padded_outputs + column
                                          + panel * PANEL);
#else
    SUM start = splat(0);
#endif
    UNROLL for (size_t i = 0; i < rows; i++) sums[i][panel] = start;
  }
  for (size_t step = first; step < end; step++) {
    WEIGHTS weights[TILE_PANELS];
    UNROLL for (size_t panel = 0; panel < panels; panel++)
      weights[panel] = JOIN(KIND, load_weights)(weights_here + (panel * steps + step) * WEIGHT_STEP);
    UNROLL for (size_t i = 0; i < rows; i++) {
      ivec activations = isplat(*(const int32_unaligned *)(a + i * p->input_stride + step * 4));
      UNROLL for (size_t panel = 0; panel < panels; panel++)
        sums[i][panel] = JOIN(KIND, multiply_add)(sums[i][panel], activations, weights[panel]);
    }
  }
#if defined(INTEGERS)
    const float *scales = p->input_scales + row * p->groups + group;
    UNROLL for (size_t i = 0; i < rows; i++)
      UNROLL for (size_t panel = 0; panel < panels; panel++) {
        vec part = __builtin_convertvector(sums[i][panel], vec) * scales[i * p->groups];
        partial[i][panel] = group == 0 ? part : partial[i][panel] + part;
      }
  }
#endif
  UNROLL for (size_t panel = 0; panel < panels; panel++) {
    size_t away = panel * PANEL;
    size_t here = columns - away < PANEL ? columns - away : PANEL;
    const float *bias = p->bias + column + away;
    vec added = !p->bias ? splat(0) : here == PANEL ? load(bias) : load_part(bias, here);
#if defined(INTEGERS)
    vec scale = load(p->scales + column + away);
#endif
#if defined(INTEGERS)
#define VALUE(i) (partial[i][panel] * scale + added)
#else
#define VALUE(i) (sums[i][panel] + added)
#endif
    size_t at = row * p->output_stride + column + away;
    if (p->output_type == ENGINE_TYPE_FLOAT32) {
      float *out = (float *)p->output + at;
      if (here == PANEL)
        UNROLL for (size_t i = 0; i < rows; i++) store(out + i * p->output_stride, VALUE(i));
      else
        UNROLL for (size_t i = 0; i < rows; i++)
          store_part(out + i * p->output_stride, VALUE(i), here);
    } else {
      uint16_t *out = (uint16_t *)p->output + at;
      UNROLL for (size_t i = 0; i < rows; i++) {
        half_vec brain = to_brain(VALUE(i));
        if (here == PANEL) *(half_vec_unaligned *)(out + i * p->output_stride) = brain;
        else memcpy(out + i * p->output_stride, &brain, here * sizeof(uint16_t));
      }
    }
#undef VALUE
  }
}

/// A tile of any number of rows up to TILE_ROWS.
INLINE void JOIN(KIND, tile_of_rows)(size_t rows, const size_t panels, const product *p, size_t row,
                         size_t column) {
  switch (rows) {
#define ROWS(count) \
  case count: JOIN(KIND, tile)(count, panels, p, row, column); break;
    ROWS(1)
    ROWS(2)
#if TILE_ROWS > 2
    ROWS(3)
    ROWS(4)
    ROWS(5)
    ROWS(6)
#endif
#if TILE_ROWS > 6
    ROWS(7)
    ROWS(8)
    ROWS(9)
    ROWS(10)
    ROWS(11)
    ROWS(12)
#endif
#undef ROWS
  }
}

static void JOIN(KIND, product)(const product *p) {
  // Panels outside, rows inside: the panels stay in cache while all rows pass by.
  for (size_t column = 0; column < p->outputs; column += TILE_PANELS * PANEL) {
    size_t columns = p->outputs - column;
    if (columns > TILE_PANELS * PANEL) columns = TILE_PANELS * PANEL;
    for (size_t row = 0; row < p->rows; row += TILE_ROWS) {
      size_t rows = p->rows - row < TILE_ROWS ? p->rows - row : TILE_ROWS;
      if (columns > (TILE_PANELS - 1) * PANEL) JOIN(KIND, tile_of_rows)(rows, TILE_PANELS, p, row, column);
      else JOIN(KIND, tile_of_rows)(rows, 1, p, row, column);
      // The tile is still in the first-level cache.
      if (p->activation != ENGINE_ACTIVATION_NONE) {
        float *out = (float *)p->output + row * p->output_stride + column;
        for (size_t i = 0; i < rows; i++) activate(p->activation, columns, out + i * p->output_stride);
      }
    }
  }
}

#undef SUM
#undef WEIGHTS
#undef WEIGHT_STEP
#undef KIND
