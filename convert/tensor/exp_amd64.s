//go:build !purego

#include "textflag.h"

DATA exp32<>+0(SB)/4, $0xc2ae0000  // -87
DATA exp32<>+4(SB)/4, $0x3fb8aa3b  // log2 e
DATA exp32<>+8(SB)/4, $0x4b400000  // 1.5 2^23
DATA exp32<>+12(SB)/4, $0x3f318000 // 0.693359375
DATA exp32<>+16(SB)/4, $0xb95e8083 // -2.12194440e-4
DATA exp32<>+20(SB)/4, $0x39506967 // 1.9875691500e-4
DATA exp32<>+24(SB)/4, $0x3ab743ce // 1.3981999507e-3
DATA exp32<>+28(SB)/4, $0x3c088908 // 8.3334519073e-3
DATA exp32<>+32(SB)/4, $0x3d2aa9c1 // 4.1665795894e-2
DATA exp32<>+36(SB)/4, $0x3e2aaaaa // 1.6666665459e-1
DATA exp32<>+40(SB)/4, $0x3f000000 // 5.0000001201e-1
DATA exp32<>+44(SB)/4, $0x3f800000 // 1
DATA exp32<>+48(SB)/4, $127
DATA exp32<>+52(SB)/4, $0x80000000 // the sign
GLOBL exp32<>(SB), RODATA, $56

#define TERM(at) \
	VMULPS Y2, Y3, Y3                \
	VBROADCASTSS exp32<>+at(SB), Y4  \
	VADDPS Y4, Y3, Y3

#define CONSTANTS \
	VBROADCASTSS exp32<>+0(SB), Y14  \
	VBROADCASTSS exp32<>+4(SB), Y13  \
	VBROADCASTSS exp32<>+8(SB), Y12  \
	VBROADCASTSS exp32<>+12(SB), Y11 \
	VBROADCASTSS exp32<>+16(SB), Y10 \
	VBROADCASTSS exp32<>+44(SB), Y9  \
	VBROADCASTSS exp32<>+48(SB), Y8

// Y3 = exp Y0: Exp32's steps, in its order and rounded as they are. Y1, Y2 and Y4
// are overwritten.
#define EXP \
	VMULPS Y13, Y0, Y1               \
	VADDPS Y12, Y1, Y1               \
	VSUBPS Y12, Y1, Y1               \
	VMULPS Y11, Y1, Y2               \
	VSUBPS Y2, Y0, Y2                \
	VMULPS Y10, Y1, Y3               \
	VSUBPS Y3, Y2, Y2                \
	VBROADCASTSS exp32<>+20(SB), Y3  \
	TERM(24)                         \
	TERM(28)                         \
	TERM(32)                         \
	TERM(36)                         \
	TERM(40)                         \
	VMULPS Y2, Y3, Y3                \
	VMULPS Y2, Y3, Y3                \
	VADDPS Y2, Y3, Y3                \
	VADDPS Y9, Y3, Y3                \
	VCVTPS2DQ Y1, Y1                 \
	VPADDD Y8, Y1, Y1                \
	VPSLLD $23, Y1, Y1               \
	VMULPS Y1, Y3, Y3                \
	VCMPPS $0x1e, Y14, Y0, Y4        \
	VANDPS Y4, Y3, Y3                \
	VCMPPS $3, Y0, Y0, Y4            \
	VORPS Y4, Y3, Y3

// func exps32(n int, x *float32, top float32) float64
//
// n is a multiple of 8.
TEXT ·exps32(SB), NOSPLIT, $0-32
	MOVQ n+0(FP), CX
	MOVQ x+8(FP), SI
	VBROADCASTSS top+16(FP), Y15
	CONSTANTS
	VXORPD Y6, Y6, Y6
	VXORPD Y7, Y7, Y7
	SHRQ $3, CX
	JZ   sum

next:
	VMOVUPS (SI), Y0
	VSUBPS Y15, Y0, Y0
	EXP
	VMOVUPS Y3, (SI)
	VEXTRACTF128 $1, Y3, X4
	VCVTPS2PD X3, Y3
	VCVTPS2PD X4, Y4
	VADDPD Y3, Y6, Y6
	VADDPD Y4, Y7, Y7
	ADDQ $32, SI
	DECQ CX
	JNZ  next

sum:
	VADDPD Y7, Y6, Y6
	VEXTRACTF128 $1, Y6, X7
	VADDPD X7, X6, X6
	VHADDPD X6, X6, X6
	VMOVSD X6, ret+24(FP)
	VZEROUPPER
	RET

// func gates32(n int, up, gate *float32)
//
// up *= silu gate; n is a multiple of 8.
TEXT ·gates32(SB), NOSPLIT, $0-24
	MOVQ n+0(FP), CX
	MOVQ up+8(FP), DI
	MOVQ gate+16(FP), SI
	CONSTANTS
	VBROADCASTSS exp32<>+52(SB), Y15
	VXORPS Y7, Y7, Y7
	SHRQ $3, CX
	JZ   gated

gate:
	VMOVUPS (SI), Y5
	VORPS Y15, Y5, Y0                // -|x|
	EXP
	VMULPS Y3, Y5, Y4                // x e
	VCMPPS $0x1d, Y7, Y5, Y1         // x >= 0
	VBLENDVPS Y1, Y5, Y4, Y4
	VADDPS Y9, Y3, Y3
	VDIVPS Y3, Y4, Y4
	VMULPS (DI), Y4, Y4
	VMOVUPS Y4, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  gate

gated:
	VZEROUPPER
	RET
