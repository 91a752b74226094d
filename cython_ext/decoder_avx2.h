/* Vectors of eight: what AVX2 and its later addition, products of integers in one instruction, have in common.
 *
 * The including file defines NAME(x), TARGET and pair_sums(a, b, c); see decoder_body.h.
 */
#define W 8
#define WT uint16_t
#define TOGETHER 6
#define CASES CASES_6
#define VECTORS(rows) ((rows) == 1 ? 8 : (rows) == 2 ? 4 : 2)
#define HEARD(rows) ((rows) == 1 ? 4 : (rows) == 2 ? 2 : 1)
#define GATHERED(rows) VECTORS(rows)
#define FETCHED(rows) ((rows) <= 2) /* more take so long that the processor's own prefetching is enough */
#define load_wt(p) ((NAME(vf))_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p))))
#define store_wt(p, v) _mm_storeu_si128((__m128i *)(p), _mm256_cvtps_ph((__m256)(v), 0))
#define fused(a, b, c) ((NAME(vf))_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define load_codes(p) ((NAME(vi))_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(p))))
#define HOLD(x) __asm__("" : "+x"(x))
#define greater(a, b) ((NAME(vf))_mm256_max_ps((__m256)(a), (__m256)(b)))
#define lesser(a, b) ((NAME(vf))_mm256_min_ps((__m256)(a), (__m256)(b)))
#define highest(v) avx2_across_max((__m256)(v))
#define total(v) avx2_across_add((__m256)(v))
#define quotient(a, b) ((a) / (b))
#define times_power(a, whole) ((a) * (vf)((__builtin_convertvector(greater(whole, NAME(all)(-126.0f)), vi) + 127) << 23))
#include "decoder_body.h"
