//go:build !purego

#include "textflag.h"

// func max32(n int, x *float32) float32
//
// NaN where there is one. n is a multiple of 8, at least 8.
TEXT ·max32(SB), NOSPLIT, $0-20
	MOVQ n+0(FP), CX
	MOVQ x+8(FP), SI
	VMOVUPS (SI), Y0
	VCMPPS $3, Y0, Y0, Y4
	SHRQ $3, CX
	JMP  more

next:
	VMOVUPS (SI), Y1
	VCMPPS $3, Y1, Y1, Y2
	VMAXPS Y1, Y0, Y0
	VORPS Y2, Y4, Y4

more:
	ADDQ $32, SI
	DECQ CX
	JNZ  next
	VEXTRACTF128 $1, Y0, X1
	VMAXPS X1, X0, X0
	VPERMILPS $0x4e, X0, X1
	VMAXPS X1, X0, X0
	VPERMILPS $0xb1, X0, X1
	VMAXPS X1, X0, X0
	VMOVMSKPS Y4, AX
	TESTL AX, AX
	JZ   found
	VCMPPS $0x0f, X0, X0, X0 // all bits: NaN

found:
	VMOVSS X0, ret+16(FP)
	VZEROUPPER
	RET

// func scale32(n int, x *float32, f float32)
//
// x *= f; n is a multiple of 8.
TEXT ·scale32(SB), NOSPLIT, $0-20
	MOVQ n+0(FP), CX
	MOVQ x+8(FP), SI
	VBROADCASTSS f+16(FP), Y1
	SHRQ $3, CX
	JZ   scaled

scale:
	VMULPS (SI), Y1, Y0
	VMOVUPS Y0, (SI)
	ADDQ $32, SI
	DECQ CX
	JNZ  scale

scaled:
	VZEROUPPER
	RET

// func between32(n int, dst, x, y *float32, f float32)
//
// dst = f (x - y); n is a multiple of 8.
TEXT ·between32(SB), NOSPLIT, $0-36
	MOVQ n+0(FP), CX
	MOVQ dst+8(FP), DI
	MOVQ x+16(FP), SI
	MOVQ y+24(FP), DX
	VBROADCASTSS f+32(FP), Y1
	SHRQ $3, CX
	JZ   done

between:
	VMOVUPS (SI), Y0
	VSUBPS (DX), Y0, Y0
	VMULPS Y1, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, SI
	ADDQ $32, DX
	ADDQ $32, DI
	DECQ CX
	JNZ  between

done:
	VZEROUPPER
	RET

// func dot32(n int, x, y *float32) float64
//
// Products and sums are float64; n is a multiple of 8.
TEXT ·dot32(SB), NOSPLIT, $0-32
	MOVQ n+0(FP), CX
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DX
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1
	SHRQ $3, CX
	JZ   dotted

dot:
	VCVTPS2PD (SI), Y2
	VCVTPS2PD 16(SI), Y3
	VCVTPS2PD (DX), Y4
	VCVTPS2PD 16(DX), Y5
	VMULPD Y4, Y2, Y2
	VMULPD Y5, Y3, Y3
	VADDPD Y2, Y0, Y0
	VADDPD Y3, Y1, Y1
	ADDQ $32, SI
	ADDQ $32, DX
	DECQ CX
	JNZ  dot

dotted:
	VADDPD Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPD X1, X0, X0
	VHADDPD X0, X0, X0
	VMOVSD X0, ret+24(FP)
	VZEROUPPER
	RET
