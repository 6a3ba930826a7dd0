//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "constants_amd64.h"

// The kernels of fit_amd64.s in AVX-512 (F, BW, DQ, VL), where masks are in registers of
// their own.

#define REDUCE(OP, z, y, x, yt, xt) \
	VEXTRACTF64X4 $1, z, yt \
	OP yt, y, y            \
	VEXTRACTF128 $1, y, xt \
	OP xt, x, x            \
	VPSHUFD $0x4e, x, xt   \
	OP xt, x, x

// The constants of ROOM, of a work at DI: K7 is where 0 has room.
#define ROOMS \
	VMOVUPD power<>(SB), Z24        \
	VMOVUPD smallest<>(SB), Z25     \
	VBROADCASTSD work_unit(DI), Z26 \
	VXORPD Y27, Y27, Y27            \
	MOVQ work_none(DI), AX          \
	NOTQ AX                         \
	KMOVW AX, K7

// Half of a unit in the last place of eight numbers x.
#define ROOM(x, to) \
	VPANDQ Z24, x, to      \
	VMAXPD Z25, to, to     \
	VCMPPD $4, Z27, x, K6  \
	KORW K7, K6, K6        \
	VMULPD.Z Z26, to, K6, to

// func lower512(w *float32, n int, k *work) bool
TEXT ·lower512(SB), NOSPLIT, $0-25
	MOVQ w+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ k+16(FP), DI
	VBROADCASTSD work_lo(DI), Z16
	VBROADCASTSD work_inverse(DI), Z17
	VMOVUPD half<>(SB), Z18
	VBROADCASTSD work_slack(DI), Z19
	VMOVUPD size<>(SB), Z20
	VBROADCASTSS work_unit32(DI), Z21
	VMOVUPS one32<>(SB), Z22
	VXORPS Y23, Y23, Y23
	VMOVUPS near32<>(SB), Z24
	VMOVUPS far32<>(SB), Z25
	VMOVUPS power32<>(SB), Z26

lowers:
	VCVTPS2PD (SI), Z0
	VCVTPS2PD 32(SI), Z1
	VSUBPD Z16, Z0, Z0
	VSUBPD Z16, Z1, Z1
	VMULPD Z17, Z0, Z0
	VMULPD Z17, Z1, Z1
	VADDPD Z18, Z0, Z2
	VADDPD Z18, Z1, Z3
	VRNDSCALEPD $3, Z2, Z2
	VRNDSCALEPD $3, Z3, Z3
	VSUBPD Z2, Z0, Z0
	VSUBPD Z3, Z1, Z1
	VPANDQ Z20, Z0, Z0
	VPANDQ Z20, Z1, Z1
	VMAXPD Z1, Z0, Z0
	VCMPPD $14, Z19, Z0, K1
	KORTESTW K1, K1
	JNZ lowerNo
	VCVTPD2PS Z2, Y2
	VCVTPD2PS Z3, Y3
	VINSERTF64X4 $1, Y3, Z2, Z2
	VMOVUPS (SI), Z4
	VPANDD Z26, Z4, Z5
	VMULPS Z21, Z5, Z5
	VSUBPS Z5, Z4, Z6
	VADDPS Z5, Z4, Z7
	VCMPPS $0, Z23, Z2, K1
	VMOVAPS Z24, K1, Z6
	VMOVAPS Z25, K1, Z7
	VMAXPS Z22, Z2, Z2
	VDIVPS Z2, Z22, Z2
	VMULPS Z2, Z6, Z6
	VMULPS Z2, Z7, Z7
	VMOVUPS Z6, work_below(DI)
	VMOVUPS Z7, work_above(DI)
	VMOVUPS Z2, work_share(DI)
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ lowers
	MOVB $1, ret+24(FP)
	VZEROUPPER
	RET

lowerNo:
	MOVB $0, ret+24(FP)
	VZEROUPPER
	RET

// What one number leaves of the scales, of sixteen lows.
#define NARROW(off, from, to) \
	VMULPS.BCST work_share+off(SI), Z0, Z7 \
	VADDPS.BCST work_below+off(SI), Z7, Z3 \
	VADDPS.BCST work_above+off(SI), Z7, Z4 \
	VMAXPS Z3, from, from                  \
	VMINPS Z4, to, to

// func narrow512(n int, k *work) uint32
TEXT ·narrow512(SB), NOSPLIT, $0-20
	MOVQ n+0(FP), CX
	MOVQ k+8(FP), DI
	VMOVUPS counts<>(SB), Z0
	VMULPS.BCST work_step32(DI), Z0, Z0
	VADDPS.BCST work_first32(DI), Z0, Z0
	VXORPS Y1, Y1, Y1
	VMOVAPS Z1, Z5
	VMOVUPS far32<>(SB), Z2
	VMOVAPS Z2, Z6
	MOVQ DI, SI

narrows:
	NARROW(0, Z1, Z2)
	NARROW(4, Z5, Z6)
	NARROW(8, Z1, Z2)
	NARROW(12, Z5, Z6)
	ADDQ $16, SI
	SUBQ $4, CX
	JNZ narrows
	VMAXPS Z5, Z1, Z1
	VMINPS Z6, Z2, Z2
	VSUBPS.BCST work_margin(DI), Z1, Z1
	VADDPS.BCST work_margin(DI), Z2, Z2
	VPADDD spare32<>(SB), Z1, Z3
	VPANDD held32<>(SB), Z3, Z3 // the float16 from there on
	VCMPPS $2, Z2, Z3, K1
	VCMPPS $1, least32<>(SB), Z1, K2 // which is not that near 0
	KORW K1, K2, K1
	KMOVW K1, AX
	MOVL AX, ret+16(FP)
	VZEROUPPER
	RET

// func slopes512(w *float32, n int, k *work) bool
TEXT ·slopes512(SB), NOSPLIT, $0-25
	MOVQ w+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ k+16(FP), DI
	VBROADCASTSD work_lo(DI), Z16
	VBROADCASTSD work_inverse(DI), Z17
	VBROADCASTSD work_low(DI), Z18
	VMOVUPD half<>(SB), Z19
	VMOVUPD one<>(SB), Z20
	VXORPD Y13, Y13, Y13        // the least
	VMOVUPD infinity<>(SB), Z14 // the largest
	KXORW K5, K5, K5            // not code 0's
	ROOMS

slopes:
	VCVTPS2PD (SI), Z0
	VSUBPD Z16, Z0, Z1
	VMULPD Z17, Z1, Z1
	VADDPD Z19, Z1, Z1
	VRNDSCALEPD $3, Z1, Z1 // codes
	ROOM(Z0, Z2)
	VSUBPD Z2, Z0, Z3
	VSUBPD Z18, Z3, Z3 // x − h − low
	VADDPD Z2, Z0, Z4
	VSUBPD Z18, Z4, Z4 // x + h − low
	VCMPPD $0, Z27, Z1, K1 // code 0
	VCMPPD $14, Z27, Z3, K1, K2
	VCMPPD $1, Z27, Z4, K1, K3
	KORW K2, K5, K5
	KORW K3, K5, K5
	KNOTW K1, K1
	VDIVPD Z1, Z3, Z3
	VDIVPD Z1, Z4, Z4
	VMAXPD Z3, Z13, K1, Z13 // 0 sets no limit
	VMINPD Z4, Z14, K1, Z14
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ slopes
	REDUCE(VMAXPD, Z13, Y13, X13, Y0, X0)
	REDUCE(VMINPD, Z14, Y14, X14, Y1, X1)
	VMOVSD X13, work_from(DI)
	VMOVSD X14, work_to(DI)
	KORTESTW K5, K5
	SETEQ ret+24(FP)
	VZEROUPPER
	RET

// func multiples512(w *float32, n int, k *work) bool
TEXT ·multiples512(SB), NOSPLIT, $0-25
	MOVQ w+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ k+16(FP), DI
	VBROADCASTSD work_limit(DI), Z16
	VBROADCASTSD work_inverse(DI), Z17
	VMOVUPD quarter<>(SB), Z18
	VMOVUPD half<>(SB), Z19
	VMOVUPD size<>(SB), Z20
	VXORPD Y13, Y13, Y13
	VMOVUPD infinity<>(SB), Z14
	ROOMS

multiples:
	VCVTPS2PD (SI), Z0
	VPANDQ Z20, Z0, Z0
	VMULPD Z17, Z0, Z1 // in steps
	VADDPD Z19, Z1, Z2
	VRNDSCALEPD $3, Z2, Z2 // codes
	VSUBPD Z2, Z1, Z1
	VPANDQ Z20, Z1, Z1
	VCMPPD $14, Z18, Z1, K2 // too far off
	VCMPPD $14, Z16, Z2, K3 // too many
	KORW K3, K2, K2
	VCMPPD $0, Z27, Z2, K1     // code 0
	VCMPPD $4, Z27, Z0, K1, K3 // of a number that is not
	KORTESTW K3, K2
	JNZ multipleNo
	ROOM(Z0, Z3)
	VSUBPD Z3, Z0, Z4
	VADDPD Z3, Z0, Z5
	KNOTW K1, K1
	VDIVPD Z2, Z4, Z4
	VDIVPD Z2, Z5, Z5
	VMAXPD Z4, Z13, K1, Z13
	VMINPD Z5, Z14, K1, Z14
	ADDQ $32, SI
	SUBQ $8, CX
	JNZ multiples
	REDUCE(VMAXPD, Z13, Y13, X13, Y0, X0)
	REDUCE(VMINPD, Z14, Y14, X14, Y1, X1)
	VMOVSD X13, work_from(DI)
	VMOVSD X14, work_to(DI)
	MOVB $1, ret+24(FP)
	VZEROUPPER
	RET

multipleNo:
	MOVB $0, ret+24(FP)
	VZEROUPPER
	RET

// Whether one number, (SI) and at off, is on the grids of 1 to 16 steps.
#define SIFT(off, z, k) \
	VSUBPS.BCST off(SI), Z16, z \
	VPANDD Z17, z, z            \
	VMULPS Z18, z, z            \
	VREDUCEPS $0, z, z          \
	VPANDD Z17, z, z            \
	VCMPPS $2, Z19, z, k, k

// func sieve512(w *float32, n int, k *work) uint32
TEXT ·sieve512(SB), NOSPLIT, $0-28
	MOVQ w+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ k+16(FP), DI
	VBROADCASTSS work_base(DI), Z16
	VMOVUPS size32<>(SB), Z17
	VMOVUPS counts<>(SB), Z19
	VMULPS.BCST work_each(DI), Z19, Z18
	VMULPS.BCST work_off(DI), Z19, Z19
	VADDPS.BCST work_margin(DI), Z19, Z19
	VMINPS.BCST work_most(DI), Z19, Z19
	KXNORW K1, K1, K1
	KXNORW K2, K2, K2
	KXNORW K3, K3, K3
	KXNORW K4, K4, K4

sieves:
	SIFT(0, Z0, K1)
	SIFT(4, Z1, K2)
	SIFT(8, Z2, K3)
	SIFT(12, Z3, K4)
	KANDW K1, K2, K5
	KANDW K3, K4, K6
	KANDW K5, K6, K5
	KORTESTW K5, K5
	JZ sifted
	ADDQ $16, SI
	SUBQ $4, CX
	JNZ sieves

sifted:
	KMOVW K5, AX
	MOVL AX, ret+24(FP)
	VZEROUPPER
	RET

// func spread512(w *float32, n int, k *work) bool
TEXT ·spread512(SB), NOSPLIT, $0-25
	MOVQ w+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ k+16(FP), DI
	MOVQ DI, DX
	VBROADCASTSD work_slack(DI), Z16
	VBROADCASTSD work_inverse(DI), Z17
	VMOVUPD sure<>(SB), Z18
	VMOVUPD half<>(SB), Z19
	VMOVUPD size<>(SB), Z20
	VXORPD Y13, Y13, Y13
	VMOVUPD infinity<>(SB), Z14
	KXORW K5, K5, K5
	ROOMS

spreads:
	VCVTPS2PD (SI), Z0
	VPANDQ Z20, Z0, Z0
	ROOM(Z0, Z1)
	VMOVUPD Z0, work_sizes(DX)
	VMOVUPD Z1, work_rooms(DX)
	VMULPD Z17, Z0, Z2 // in steps
	VADDPD Z19, Z2, Z3
	VRNDSCALEPD $3, Z3, Z3 // codes
	VSUBPD Z3, Z2, Z4
	VPANDQ Z20, Z4, Z4
	VMULPD Z16, Z2, Z2
	VADDPD Z2, Z4, Z4
	VCMPPD $1, Z18, Z4, K1     // whatever the scale
	VCMPPD $0, Z27, Z3, K1, K2 // code 0
	VCMPPD $4, Z27, Z0, K2, K3 // of a number that is not
	KORW K3, K5, K5
	KANDNW K1, K2, K1
	VSUBPD Z1, Z0, Z4
	VADDPD Z1, Z0, Z5
	VDIVPD Z3, Z4, Z4
	VDIVPD Z3, Z5, Z5
	VMAXPD Z4, Z13, K1, Z13
	VMINPD Z5, Z14, K1, Z14
	ADDQ $32, SI
	ADDQ $64, DX
	SUBQ $8, CX
	JNZ spreads
	REDUCE(VMAXPD, Z13, Y13, X13, Y0, X0)
	REDUCE(VMINPD, Z14, Y14, X14, Y1, X1)
	VMOVSD X13, work_from(DI)
	VMOVSD X14, work_to(DI)
	KORTESTW K5, K5
	SETEQ ret+24(FP)
	VZEROUPPER
	RET

// One number against eight scales.
#define SQUARE(off, z, k) \
	VBROADCASTSD work_sizes+off(SI), Z0           \
	VMULPD Z17, Z0, z                             \
	VADDPD Z18, z, z                              \
	VRNDSCALEPD $3, z, z                          \
	VMULPD Z16, z, z                              \
	VSUBPD z, Z0, z                               \
	VPANDQ Z20, z, z                              \
	VCMPPD.BCST $2, work_rooms+off(SI), z, k, k   \
	VMULPD z, z, z                                \
	VADDPD z, Z14, Z14

// func squares512(n int, k *work, at int)
TEXT ·squares512(SB), NOSPLIT, $0-24
	MOVQ n+0(FP), CX
	MOVQ k+8(FP), DI
	MOVQ at+16(FP), AX
	VCVTSI2SDQ AX, X0, X0
	VBROADCASTSD X0, Z0
	VADDPD counts64<>(SB), Z0, Z0
	VMULPD.BCST work_step(DI), Z0, Z0
	VADDPD.BCST work_first(DI), Z0, Z16 // scales
	VMOVUPD one<>(SB), Z17
	VDIVPD Z16, Z17, Z17 // their inverses
	VMOVUPD half<>(SB), Z18
	VMOVUPD size<>(SB), Z20
	VXORPD Y14, Y14, Y14 // sums
	VBROADCASTSD work_largest(DI), Z0
	VMULPD Z17, Z0, Z0
	VADDPD Z18, Z0, Z0
	VRNDSCALEPD $3, Z0, Z0
	VCMPPD.BCST $2, work_limit(DI), Z0, K1 // on the grid
	KMOVW K1, K2
	KMOVW K1, K3
	KMOVW K1, K4
	MOVQ DI, SI

squares:
	SQUARE(0, Z1, K1)
	SQUARE(8, Z2, K2)
	SQUARE(16, Z3, K3)
	SQUARE(24, Z4, K4)
	KANDW K1, K2, K5
	KANDW K3, K4, K6
	KANDW K5, K6, K5
	KORTESTW K5, K5
	JZ squared
	ADDQ $32, SI
	SUBQ $4, CX
	JNZ squares

squared:
	KNOTW K5, K5
	VMOVUPD infinity<>(SB), Z0
	VMOVAPD Z0, K5, Z14
	VMOVUPD Z14, work_sums(DI)(AX*8)
	VZEROUPPER
	RET

// func codes512(dst *byte, w *float32, n int, inverse, from float64, top byte)
TEXT ·codes512(SB), NOSPLIT, $0-41
	MOVQ dst+0(FP), DI
	MOVQ w+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSD inverse+24(FP), Z8
	VBROADCASTSD from+32(FP), Z9
	MOVBLZX top+40(FP), AX
	VPBROADCASTD AX, Z10
	VPXOR Y11, Y11, Y11

codes:
	VCVTPS2PD (SI), Z0
	VCVTPS2PD 32(SI), Z1
	VMULPD Z8, Z0, Z0
	VMULPD Z8, Z1, Z1
	VADDPD Z9, Z0, Z0
	VADDPD Z9, Z1, Z1
	VCVTTPD2DQ Z0, Y0
	VCVTTPD2DQ Z1, Y1
	VINSERTI64X4 $1, Y1, Z0, Z0
	VPMAXSD Z11, Z0, Z0
	VPMINSD Z10, Z0, Z0
	VPMOVDB Z0, X0
	VMOVDQU X0, (DI)
	ADDQ $64, SI
	ADDQ $16, DI
	SUBQ $16, CX
	JNZ codes
	VZEROUPPER
	RET
