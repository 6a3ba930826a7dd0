//go:build !purego

#include "textflag.h"

// func moments32(n int, m, v, grad *float32, beta1, beta2 float32) float64
//
// m = β1 m + (1 − β1) g, v = β2 v + (1 − β2) g g, and Σ v in float64; n is a multiple
// of 8.
TEXT ·moments32(SB), NOSPLIT, $0-48
	MOVQ n+0(FP), CX
	MOVQ m+8(FP), DI
	MOVQ v+16(FP), SI
	MOVQ grad+24(FP), DX
	MOVL $0x3f800000, AX // 1
	VMOVD AX, X8
	VMOVSS beta1+32(FP), X4
	VMOVSS beta2+36(FP), X6
	VSUBSS X4, X8, X5
	VSUBSS X6, X8, X7
	VBROADCASTSS X4, Y4
	VBROADCASTSS X5, Y5
	VBROADCASTSS X6, Y6
	VBROADCASTSS X7, Y7
	VXORPD Y8, Y8, Y8
	VXORPD Y9, Y9, Y9
	SHRQ $3, CX
	JZ   taken

take:
	VMOVUPS (DX), Y0
	VMULPS (DI), Y4, Y1
	VMULPS Y0, Y5, Y2
	VADDPS Y2, Y1, Y1
	VMOVUPS Y1, (DI)
	VMULPS (SI), Y6, Y1
	VMULPS Y0, Y7, Y2
	VMULPS Y0, Y2, Y2
	VADDPS Y2, Y1, Y1
	VMOVUPS Y1, (SI)
	VEXTRACTF128 $1, Y1, X2
	VCVTPS2PD X1, Y1
	VCVTPS2PD X2, Y2
	VADDPD Y1, Y8, Y8
	VADDPD Y2, Y9, Y9
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $32, DX
	DECQ CX
	JNZ  take

taken:
	VADDPD Y9, Y8, Y8
	VEXTRACTF128 $1, Y8, X9
	VADDPD X9, X8, X8
	VHADDPD X8, X8, X8
	VMOVSD X8, ret+40(FP)
	VZEROUPPER
	RET

// func descend32(n int, w, m, v *float32, rate, root, eps float32)
//
// w −= rate m / (√v·root + ε); n is a multiple of 8.
TEXT ·descend32(SB), NOSPLIT, $0-44
	MOVQ n+0(FP), CX
	MOVQ w+8(FP), DI
	MOVQ m+16(FP), SI
	MOVQ v+24(FP), DX
	VBROADCASTSS rate+32(FP), Y4
	VBROADCASTSS root+36(FP), Y5
	VBROADCASTSS eps+40(FP), Y6
	SHRQ $3, CX
	JZ   down

descend:
	VSQRTPS (DX), Y0
	VMULPS Y5, Y0, Y0
	VADDPS Y6, Y0, Y0
	VMULPS (SI), Y4, Y1
	VDIVPS Y0, Y1, Y1
	VMOVUPS (DI), Y2
	VSUBPS Y1, Y2, Y2
	VMOVUPS Y2, (DI)
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $32, DX
	DECQ CX
	JNZ  descend

down:
	VZEROUPPER
	RET
