// Constants of the kernels: eight float64 or sixteen float32, of which the kernels of 256
// bits read half.

#define EIGHT(name, v) \
	DATA name<>+0(SB)/8, v;  \
	DATA name<>+8(SB)/8, v;  \
	DATA name<>+16(SB)/8, v; \
	DATA name<>+24(SB)/8, v; \
	DATA name<>+32(SB)/8, v; \
	DATA name<>+40(SB)/8, v; \
	DATA name<>+48(SB)/8, v; \
	DATA name<>+56(SB)/8, v; \
	GLOBL name<>(SB), RODATA|NOPTR, $64

EIGHT(half, $0.5)
EIGHT(one, $1.0)
EIGHT(quarter, $0.25)
EIGHT(sure, $0.49999)
EIGHT(infinity, $0x7ff0000000000000)
EIGHT(size, $0x7fffffffffffffff)
EIGHT(power, $0x7ff0000000000000)
EIGHT(smallest, $0x3810000000000000) // 2^-126
EIGHT(one32, $0x3f8000003f800000)
EIGHT(size32, $0x7fffffff7fffffff)
EIGHT(power32, $0x7f8000007f800000)
EIGHT(far32, $0x7f0000007f000000)
EIGHT(near32, $0xff000000ff000000)
EIGHT(spare32, $0x00001fff00001fff) // bits that float16 lacks
EIGHT(held32, $0xffffe000ffffe000)
EIGHT(least32, $0x3880000038800000) // 2^-14

// 1 to 16, of float32
DATA counts<>+0(SB)/8, $0x400000003f800000
DATA counts<>+8(SB)/8, $0x4080000040400000
DATA counts<>+16(SB)/8, $0x40c0000040a00000
DATA counts<>+24(SB)/8, $0x4100000040e00000
DATA counts<>+32(SB)/8, $0x4120000041100000
DATA counts<>+40(SB)/8, $0x4140000041300000
DATA counts<>+48(SB)/8, $0x4160000041500000
DATA counts<>+56(SB)/8, $0x4180000041700000
GLOBL counts<>(SB), RODATA|NOPTR, $64

// 1 to 8, of float64
DATA counts64<>+0(SB)/8, $1.0
DATA counts64<>+8(SB)/8, $2.0
DATA counts64<>+16(SB)/8, $3.0
DATA counts64<>+24(SB)/8, $4.0
DATA counts64<>+32(SB)/8, $5.0
DATA counts64<>+40(SB)/8, $6.0
DATA counts64<>+48(SB)/8, $7.0
DATA counts64<>+56(SB)/8, $8.0
GLOBL counts64<>(SB), RODATA|NOPTR, $64
