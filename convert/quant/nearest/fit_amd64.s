//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "constants_amd64.h"

// The largest or the least of the lanes, in all of X.
#define REDUCE(OP, y, x, yt, xt) \
	VEXTRACTF128 $1, y, xt \
	OP xt, x, x            \
	VPSHUFD $0x4e, x, xt   \
	OP xt, x, x

#define REDUCE32(OP, y, x, yt, xt) \
	REDUCE(OP, y, x, yt, xt) \
	VPSHUFD $0xb1, x, xt     \
	OP xt, x, x

// Half of a unit in the last place of four numbers x: UNIT and NONE are a work's.
#define ROOM(x, to, t, UNIT, NONE) \
	VANDPD power<>(SB), x, to    \
	VMAXPD smallest<>(SB), to, to \
	VMULPD UNIT, to, to          \
	VXORPD t, t, t               \
	VCMPPD $0, t, x, t           \
	VANDPD NONE, t, t            \
	VANDNPD to, t, to

// func span256(w *float32, n int) (lo, hi float32, size uint32)
//
// Numbers are ordered as integers, with the bits of negative ones turned.
TEXT ·span256(SB), NOSPLIT, $0-28
	MOVQ w+0(FP), SI
	MOVQ n+8(FP), CX
	VMOVDQU size32<>(SB), Y5
	VPCMPEQD Y0, Y0, Y0
	VPSRLD $1, Y0, Y0        // the largest of integers
	VPCMPEQD Y1, Y1, Y1
	VPSLLD $31, Y1, Y1       // the least
	VPXOR Y2, Y2, Y2

spans:
	VMOVDQU (SI), Y3
	VMOVDQU 32(SI), Y6
	VPAND Y5, Y3, Y4
	VPAND Y5, Y6, Y7
	VPMAXSD Y4, Y2, Y2
	VPMAXSD Y7, Y2, Y2
	VPSRAD $31, Y3, Y4
	VPSRAD $31, Y6, Y7
	VPSRLD $1, Y4, Y4
	VPSRLD $1, Y7, Y7
	VPXOR Y4, Y3, Y3
	VPXOR Y7, Y6, Y6
	VPMINSD Y3, Y0, Y0
	VPMAXSD Y3, Y1, Y1
	VPMINSD Y6, Y0, Y0
	VPMAXSD Y6, Y1, Y1
	ADDQ $64, SI
	SUBQ $16, CX
	JNZ spans
	REDUCE32(VPMINSD, Y0, X0, Y4, X4)
	REDUCE32(VPMAXSD, Y1, X1, Y6, X6)
	REDUCE32(VPMAXSD, Y2, X2, Y7, X7)
	VPSRAD $31, X0, X4
	VPSRLD $1, X4, X4
	VPXOR X4, X0, X0
	VPSRAD $31, X1, X4
	VPSRLD $1, X4, X4
	VPXOR X4, X1, X1
	VMOVSS X0, lo+16(FP)
	VMOVSS X1, hi+20(FP)
	VMOVSS X2, size+24(FP)
	VZEROUPPER
	RET

// func lower256(w *float32, n int, k *work) bool
TEXT ·lower256(SB), NOSPLIT, $0-25
	MOVQ w+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ k+16(FP), DI
	VBROADCASTSD work_lo(DI), Y8
	VBROADCASTSD work_inverse(DI), Y9
	VBROADCASTSD work_slack(DI), Y11
	VMOVUPD half<>(SB), Y10
	VMOVUPD size<>(SB), Y12
	VBROADCASTSS work_unit32(DI), Y13
	VMOVUPS one32<>(SB), Y14
	VXORPS Y15, Y15, Y15

lowers:
	VCVTPS2PD (SI), Y0
	VCVTPS2PD 16(SI), Y1
	VSUBPD Y8, Y0, Y0
	VSUBPD Y8, Y1, Y1
	VMULPD Y9, Y0, Y0
	VMULPD Y9, Y1, Y1
	VADDPD Y10, Y0, Y2
	VADDPD Y10, Y1, Y3
	VROUNDPD $3, Y2, Y2
	VROUNDPD $3, Y3, Y3
	VSUBPD Y2, Y0, Y0
	VSUBPD Y3, Y1, Y1
	VANDPD Y12, Y0, Y0
	VANDPD Y12, Y1, Y1
	VMAXPD Y1, Y0, Y0
	VCMPPD $14, Y11, Y0, Y0
	VPTEST Y0, Y0
	JNZ lowerNo
	VCVTPD2PSY Y2, X2
	VCVTPD2PSY Y3, X3
	VINSERTF128 $1, X3, Y2, Y2
	VMOVUPS (SI), Y4
	VANDPS power32<>(SB), Y4, Y5
	VMULPS Y13, Y5, Y5
	VSUBPS Y5, Y4, Y6
	VADDPS Y5, Y4, Y7
	VCMPPS $0, Y15, Y2, Y3
	VBLENDVPS Y3, near32<>(SB), Y6, Y6
	VBLENDVPS Y3, far32<>(SB), Y7, Y7
	VMAXPS Y14, Y2, Y2
	VDIVPS Y2, Y14, Y2
	VMULPS Y2, Y6, Y6
	VMULPS Y2, Y7, Y7
	VMOVUPS Y6, work_below(DI)
	VMOVUPS Y7, work_above(DI)
	VMOVUPS Y2, work_share(DI)
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JNZ lowers
	MOVB $1, ret+24(FP)
	VZEROUPPER
	RET

lowerNo:
	MOVB $0, ret+24(FP)
	VZEROUPPER
	RET

// What one number leaves of the scales, of sixteen lows.
#define NARROW(off) \
	VBROADCASTSS work_below+off(SI), Y8  \
	VBROADCASTSS work_above+off(SI), Y9  \
	VBROADCASTSS work_share+off(SI), Y10 \
	VMULPS Y0, Y10, Y13                  \
	VMULPS Y1, Y10, Y14                  \
	VADDPS Y13, Y8, Y11                  \
	VADDPS Y14, Y8, Y12                  \
	VADDPS Y13, Y9, Y13                  \
	VADDPS Y14, Y9, Y14                  \
	VMAXPS Y11, Y2, Y2                   \
	VMAXPS Y12, Y3, Y3                   \
	VMINPS Y13, Y4, Y4                   \
	VMINPS Y14, Y5, Y5

// func narrow256(n int, k *work) uint32
TEXT ·narrow256(SB), NOSPLIT, $0-20
	MOVQ n+0(FP), CX
	MOVQ k+8(FP), DI
	VBROADCASTSS work_step32(DI), Y1
	VMULPS counts<>(SB), Y1, Y0
	VMULPS counts<>+32(SB), Y1, Y1
	VBROADCASTSS work_first32(DI), Y2
	VADDPS Y2, Y0, Y0
	VADDPS Y2, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VMOVUPS far32<>(SB), Y4
	VMOVAPS Y4, Y5
	MOVQ DI, SI

narrows:
	NARROW(0)
	NARROW(4)
	ADDQ $8, SI
	SUBQ $2, CX
	JNZ narrows
	VBROADCASTSS work_margin(DI), Y8
	VSUBPS Y8, Y2, Y2
	VSUBPS Y8, Y3, Y3
	VADDPS Y8, Y4, Y4
	VADDPS Y8, Y5, Y5
	VPADDD spare32<>(SB), Y2, Y9
	VPADDD spare32<>(SB), Y3, Y10
	VPAND held32<>(SB), Y9, Y9 // the float16 from there on
	VPAND held32<>(SB), Y10, Y10
	VCMPPS $2, Y4, Y9, Y9
	VCMPPS $2, Y5, Y10, Y10
	VCMPPS $1, least32<>(SB), Y2, Y2 // which is not that near 0
	VCMPPS $1, least32<>(SB), Y3, Y3
	VORPS Y9, Y2, Y2
	VORPS Y10, Y3, Y3
	VMOVMSKPS Y2, AX
	VMOVMSKPS Y3, BX
	SHLL $8, BX
	ORL BX, AX
	MOVL AX, ret+16(FP)
	VZEROUPPER
	RET

// func slopes256(w *float32, n int, k *work) bool
TEXT ·slopes256(SB), NOSPLIT, $0-25
	MOVQ w+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ k+16(FP), DI
	VBROADCASTSD work_lo(DI), Y8
	VBROADCASTSD work_inverse(DI), Y9
	VBROADCASTSD work_low(DI), Y10
	VBROADCASTSD work_unit(DI), Y11
	VBROADCASTSD work_none(DI), Y12
	VXORPD Y13, Y13, Y13 // the least
	VMOVUPD infinity<>(SB), Y14 // the largest
	VXORPD Y15, Y15, Y15 // not code 0's

slopes:
	VCVTPS2PD (SI), Y0
	VSUBPD Y8, Y0, Y1
	VMULPD Y9, Y1, Y1
	VADDPD half<>(SB), Y1, Y1
	VROUNDPD $3, Y1, Y1 // codes
	ROOM(Y0, Y2, Y3, Y11, Y12)
	VSUBPD Y2, Y0, Y3
	VSUBPD Y10, Y3, Y3 // x − h − low
	VADDPD Y2, Y0, Y4
	VSUBPD Y10, Y4, Y4 // x + h − low
	VXORPD Y5, Y5, Y5
	VCMPPD $0, Y5, Y1, Y6 // code 0
	VCMPPD $14, Y5, Y3, Y7
	VCMPPD $1, Y5, Y4, Y5
	VORPD Y5, Y7, Y7
	VANDPD Y6, Y7, Y7
	VORPD Y7, Y15, Y15
	VBLENDVPD Y6, one<>(SB), Y1, Y1
	VDIVPD Y1, Y3, Y3
	VDIVPD Y1, Y4, Y4
	VANDNPD Y3, Y6, Y3 // 0 sets no limit
	VBLENDVPD Y6, infinity<>(SB), Y4, Y4
	VMAXPD Y3, Y13, Y13
	VMINPD Y4, Y14, Y14
	ADDQ $16, SI
	SUBQ $4, CX
	JNZ slopes
	REDUCE(VMAXPD, Y13, X13, Y0, X0)
	REDUCE(VMINPD, Y14, X14, Y1, X1)
	VMOVSD X13, work_from(DI)
	VMOVSD X14, work_to(DI)
	VPTEST Y15, Y15
	SETEQ ret+24(FP)
	VZEROUPPER
	RET

// func multiples256(w *float32, n int, k *work) bool
TEXT ·multiples256(SB), NOSPLIT, $0-25
	MOVQ w+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ k+16(FP), DI
	VBROADCASTSD work_limit(DI), Y8
	VBROADCASTSD work_inverse(DI), Y9
	VMOVUPD size<>(SB), Y10
	VBROADCASTSD work_unit(DI), Y11
	VBROADCASTSD work_none(DI), Y12
	VXORPD Y13, Y13, Y13
	VMOVUPD infinity<>(SB), Y14
	VXORPD Y15, Y15, Y15

multiples:
	VCVTPS2PD (SI), Y0
	VANDPD Y10, Y0, Y0
	VMULPD Y9, Y0, Y1 // in steps
	VADDPD half<>(SB), Y1, Y2
	VROUNDPD $3, Y2, Y2 // codes
	VSUBPD Y2, Y1, Y1
	VANDPD Y10, Y1, Y1
	VCMPPD $14, quarter<>(SB), Y1, Y1 // too far off
	VCMPPD $14, Y8, Y2, Y3 // too many
	VORPD Y3, Y1, Y1
	VCMPPD $0, Y15, Y2, Y6 // code 0
	VCMPPD $4, Y15, Y0, Y3 // of a number that is not
	VANDPD Y6, Y3, Y3
	VORPD Y3, Y1, Y1
	VPTEST Y1, Y1
	JNZ multipleNo
	ROOM(Y0, Y3, Y4, Y11, Y12)
	VSUBPD Y3, Y0, Y4
	VADDPD Y3, Y0, Y5
	VBLENDVPD Y6, one<>(SB), Y2, Y2
	VDIVPD Y2, Y4, Y4
	VDIVPD Y2, Y5, Y5
	VANDNPD Y4, Y6, Y4
	VBLENDVPD Y6, infinity<>(SB), Y5, Y5
	VMAXPD Y4, Y13, Y13
	VMINPD Y5, Y14, Y14
	ADDQ $16, SI
	SUBQ $4, CX
	JNZ multiples
	REDUCE(VMAXPD, Y13, X13, Y0, X0)
	REDUCE(VMINPD, Y14, X14, Y1, X1)
	VMOVSD X13, work_from(DI)
	VMOVSD X14, work_to(DI)
	MOVB $1, ret+24(FP)
	VZEROUPPER
	RET

multipleNo:
	MOVB $0, ret+24(FP)
	VZEROUPPER
	RET

// Whether one number, (SI) and at off, is on the grids of 1 to 8 and 9 to 16 steps.
#define SIFT(off) \
	VBROADCASTSS off(SI), Y0   \
	VSUBPS Y8, Y0, Y0          \
	VANDPS Y9, Y0, Y0          \
	VMULPS Y10, Y0, Y1         \
	VMULPS Y11, Y0, Y2         \
	VROUNDPS $0, Y1, Y3        \
	VROUNDPS $0, Y2, Y4        \
	VSUBPS Y3, Y1, Y1          \
	VSUBPS Y4, Y2, Y2          \
	VANDPS Y9, Y1, Y1          \
	VANDPS Y9, Y2, Y2          \
	VCMPPS $2, Y12, Y1, Y1     \
	VCMPPS $2, Y13, Y2, Y2     \
	VANDPS Y1, Y14, Y14        \
	VANDPS Y2, Y15, Y15

// func sieve256(w *float32, n int, k *work) uint32
TEXT ·sieve256(SB), NOSPLIT, $0-28
	MOVQ w+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ k+16(FP), DI
	VBROADCASTSS work_base(DI), Y8
	VMOVUPS size32<>(SB), Y9
	VBROADCASTSS work_each(DI), Y11
	VMULPS counts<>(SB), Y11, Y10
	VMULPS counts<>+32(SB), Y11, Y11
	VBROADCASTSS work_off(DI), Y13
	VMULPS counts<>(SB), Y13, Y12
	VMULPS counts<>+32(SB), Y13, Y13
	VBROADCASTSS work_margin(DI), Y0
	VADDPS Y0, Y12, Y12
	VADDPS Y0, Y13, Y13
	VBROADCASTSS work_most(DI), Y0
	VMINPS Y0, Y12, Y12
	VMINPS Y0, Y13, Y13
	VPCMPEQD Y14, Y14, Y14
	VPCMPEQD Y15, Y15, Y15

sieves:
	SIFT(0)
	SIFT(4)
	SIFT(8)
	SIFT(12)
	VORPS Y14, Y15, Y0
	VPTEST Y0, Y0
	JZ sifted
	ADDQ $16, SI
	SUBQ $4, CX
	JNZ sieves

sifted:
	VMOVMSKPS Y14, AX
	VMOVMSKPS Y15, BX
	SHLL $8, BX
	ORL BX, AX
	MOVL AX, ret+24(FP)
	VZEROUPPER
	RET

// func spread256(w *float32, n int, k *work) bool
TEXT ·spread256(SB), NOSPLIT, $0-25
	MOVQ w+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ k+16(FP), DI
	MOVQ DI, DX
	VBROADCASTSD work_slack(DI), Y8
	VBROADCASTSD work_inverse(DI), Y9
	VMOVUPD size<>(SB), Y10
	VBROADCASTSD work_unit(DI), Y11
	VBROADCASTSD work_none(DI), Y12
	VXORPD Y13, Y13, Y13
	VMOVUPD infinity<>(SB), Y14
	VXORPD Y15, Y15, Y15

spreads:
	VCVTPS2PD (SI), Y0
	VANDPD Y10, Y0, Y0
	ROOM(Y0, Y1, Y3, Y11, Y12)
	VMOVUPD Y0, work_sizes(DX)
	VMOVUPD Y1, work_rooms(DX)
	VMULPD Y9, Y0, Y2 // in steps
	VADDPD half<>(SB), Y2, Y3
	VROUNDPD $3, Y3, Y3 // codes
	VSUBPD Y3, Y2, Y4
	VANDPD Y10, Y4, Y4
	VMULPD Y8, Y2, Y2
	VADDPD Y2, Y4, Y4
	VCMPPD $1, sure<>(SB), Y4, Y6 // whatever the scale
	VXORPD Y5, Y5, Y5
	VCMPPD $0, Y5, Y3, Y7 // code 0
	VCMPPD $4, Y5, Y0, Y5 // of a number that is not
	VANDPD Y7, Y5, Y5
	VANDPD Y6, Y5, Y5
	VORPD Y5, Y15, Y15
	VANDNPD Y6, Y7, Y6
	VSUBPD Y1, Y0, Y4
	VADDPD Y1, Y0, Y5
	VMAXPD one<>(SB), Y3, Y3
	VDIVPD Y3, Y4, Y4
	VDIVPD Y3, Y5, Y5
	VANDPD Y6, Y4, Y4
	VMOVUPD infinity<>(SB), Y7
	VBLENDVPD Y6, Y5, Y7, Y5
	VMAXPD Y4, Y13, Y13
	VMINPD Y5, Y14, Y14
	ADDQ $16, SI
	ADDQ $32, DX
	SUBQ $4, CX
	JNZ spreads
	REDUCE(VMAXPD, Y13, X13, Y0, X0)
	REDUCE(VMINPD, Y14, X14, Y1, X1)
	VMOVSD X13, work_from(DI)
	VMOVSD X14, work_to(DI)
	VPTEST Y15, Y15
	SETEQ ret+24(FP)
	VZEROUPPER
	RET

// One number against four scales.
#define SQUARE(off) \
	VBROADCASTSD work_sizes+off(SI), Y0 \
	VBROADCASTSD work_rooms+off(SI), Y2 \
	VMULPD Y9, Y0, Y1                   \
	VADDPD Y11, Y1, Y1                  \
	VROUNDPD $3, Y1, Y1                 \
	VMULPD Y8, Y1, Y1                   \
	VSUBPD Y1, Y0, Y1                   \
	VANDPD Y10, Y1, Y1                  \
	VCMPPD $14, Y2, Y1, Y2              \
	VORPD Y2, Y15, Y15                  \
	VMULPD Y1, Y1, Y1                   \
	VADDPD Y1, Y14, Y14

// func squares256(n int, k *work, at int)
TEXT ·squares256(SB), NOSPLIT, $0-24
	MOVQ n+0(FP), CX
	MOVQ k+8(FP), DI
	MOVQ at+16(FP), AX
	VCVTSI2SDQ AX, X0, X0
	VBROADCASTSD X0, Y0
	VADDPD counts64<>(SB), Y0, Y0
	VBROADCASTSD work_step(DI), Y8
	VMULPD Y8, Y0, Y0
	VBROADCASTSD work_first(DI), Y8
	VADDPD Y8, Y0, Y8 // scales
	VMOVUPD one<>(SB), Y9
	VDIVPD Y8, Y9, Y9 // their inverses
	VMOVUPD size<>(SB), Y10
	VMOVUPD half<>(SB), Y11
	VXORPD Y14, Y14, Y14 // sums
	VBROADCASTSD work_limit(DI), Y13
	VBROADCASTSD work_largest(DI), Y0
	VMULPD Y9, Y0, Y0
	VADDPD Y11, Y0, Y0
	VROUNDPD $3, Y0, Y0
	VCMPPD $14, Y13, Y0, Y15 // not on the grid
	MOVQ DI, SI

squares:
	SQUARE(0)
	SQUARE(8)
	SQUARE(16)
	SQUARE(24)
	VMOVMSKPD Y15, BX
	CMPL BX, $15
	JEQ squared
	ADDQ $32, SI
	SUBQ $4, CX
	JNZ squares

squared:
	VBLENDVPD Y15, infinity<>(SB), Y14, Y14
	VMOVUPD Y14, work_sums(DI)(AX*8)
	VZEROUPPER
	RET

#define CODES(off, to) \
	VCVTPS2PD off(SI), Y0   \
	VMULPD Y8, Y0, Y0       \
	VADDPD Y9, Y0, Y0       \
	VCVTTPD2DQY Y0, to

// func codes256(dst *byte, w *float32, n int, inverse, from float64, top byte)
TEXT ·codes256(SB), NOSPLIT, $0-41
	MOVQ dst+0(FP), DI
	MOVQ w+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSD inverse+24(FP), Y8
	VBROADCASTSD from+32(FP), Y9
	VPBROADCASTB top+40(FP), X10

codes:
	CODES(0, X1)
	CODES(16, X2)
	CODES(32, X3)
	CODES(48, X4)
	VPACKSSDW X2, X1, X1
	VPACKSSDW X4, X3, X3
	VPACKUSWB X3, X1, X1
	VPMINUB X10, X1, X1
	VMOVDQU X1, (DI)
	ADDQ $64, SI
	ADDQ $16, DI
	SUBQ $16, CX
	JNZ codes
	VZEROUPPER
	RET
