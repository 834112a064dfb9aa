#include "textflag.h"

// A byte has a class if the bits of its two nibbles meet: the low nibble picks
// from lo, the high one from hi.
//
// loNV, hiNV: 0..4 are name characters ([A-O a-o], [P-Z p-z], digits, '-' '.',
// '_'), 5..7 are special in values (controls and above ASCII, quotes and '&',
// '<' and '>'). loT, hiT: '<', '&', ']', controls, and above ASCII are special
// in text.
DATA loNV<>+0(SB)/8, $0x6767272727672726
DATA loNV<>+8(SB)/8, $0x31a929a121232727
GLOBL loNV<>(SB), RODATA|NOPTR, $16

DATA hiNV<>+0(SB)/8, $0x0201120184482020
DATA hiNV<>+8(SB)/8, $0x2020202020202020
GLOBL hiNV<>(SB), RODATA|NOPTR, $16

DATA loT<>+0(SB)/8, $0x181a181818181818
DATA loT<>+8(SB)/8, $0x18181c1918101018
GLOBL loT<>(SB), RODATA|NOPTR, $16

DATA hiT<>+0(SB)/8, $0x0000040001021008
DATA hiT<>+8(SB)/8, $0x1010101010101010
GLOBL hiT<>(SB), RODATA|NOPTR, $16

DATA bits<>+0(SB)/4, $0x0f0f0f0f
DATA bits<>+4(SB)/4, $0x1f1f1f1f
DATA bits<>+8(SB)/4, $0xe0e0e0e0
GLOBL bits<>(SB), RODATA|NOPTR, $12

// func classifyAVX2(dst *uint64, stride uintptr, src unsafe.Pointer, blocks int)
TEXT ·classifyAVX2(SB), NOSPLIT, $0-32
	MOVQ         dst+0(FP), DI
	MOVQ         stride+8(FP), DX
	MOVQ         src+16(FP), SI
	MOVQ         blocks+24(FP), CX
	LEAQ         (DI)(DX*2), BX
	VPBROADCASTD bits<>+0(SB), Y8
	VPXOR        Y9, Y9, Y9
	VBROADCASTI128 loNV<>(SB), Y10
	VBROADCASTI128 hiNV<>(SB), Y11
	VBROADCASTI128 loT<>(SB), Y12
	VBROADCASTI128 hiT<>(SB), Y13
	VPBROADCASTD bits<>+4(SB), Y14
	VPBROADCASTD bits<>+8(SB), Y15

loop:
	VMOVDQU      0(SI), Y0
	VPAND        Y8, Y0, Y1       // low nibbles
	VPSRLW       $4, Y0, Y2
	VPAND        Y8, Y2, Y2       // high nibbles
	VPSHUFB      Y1, Y10, Y3
	VPSHUFB      Y2, Y11, Y4
	VPAND        Y3, Y4, Y3
	VPSHUFB      Y1, Y12, Y5
	VPSHUFB      Y2, Y13, Y6
	VPAND        Y5, Y6, Y5
	VPAND        Y14, Y3, Y4      // bits of names
	VPAND        Y15, Y3, Y3      // bits of values
	VPCMPEQB     Y9, Y4, Y4
	VPCMPEQB     Y9, Y3, Y3
	VPCMPEQB     Y9, Y5, Y5
	VPMOVMSKB    Y4, R8
	VPMOVMSKB    Y3, R9
	VPMOVMSKB    Y5, R10
	VMOVDQU      32(SI), Y0
	VPAND        Y8, Y0, Y1       // low nibbles
	VPSRLW       $4, Y0, Y2
	VPAND        Y8, Y2, Y2       // high nibbles
	VPSHUFB      Y1, Y10, Y3
	VPSHUFB      Y2, Y11, Y4
	VPAND        Y3, Y4, Y3
	VPSHUFB      Y1, Y12, Y5
	VPSHUFB      Y2, Y13, Y6
	VPAND        Y5, Y6, Y5
	VPAND        Y14, Y3, Y4      // bits of names
	VPAND        Y15, Y3, Y3      // bits of values
	VPCMPEQB     Y9, Y4, Y4
	VPCMPEQB     Y9, Y3, Y3
	VPCMPEQB     Y9, Y5, Y5
	VPMOVMSKB    Y4, R11
	VPMOVMSKB    Y3, R12
	VPMOVMSKB    Y5, R13
	SHLQ         $32, R11
	SHLQ         $32, R12
	SHLQ         $32, R13
	ORQ          R11, R8
	ORQ          R12, R9
	ORQ          R13, R10
	NOTQ         R9
	NOTQ         R10
	MOVQ         R8, (DI)
	MOVQ         R9, (DI)(DX*1)
	MOVQ         R10, (BX)
	ADDQ         $64, SI
	ADDQ         $8, DI
	ADDQ         $8, BX
	DECQ         CX
	JNZ          loop
	VZEROUPPER
	RET

DATA marks<>+0(SB)/4, $0x22273e3c // < > ' "
GLOBL marks<>(SB), RODATA|NOPTR, $4

// func marksAVX2(dst *[4]uint64, src unsafe.Pointer, blocks int)
TEXT ·marksAVX2(SB), NOSPLIT, $0-24
	MOVQ         dst+0(FP), DI
	MOVQ         src+8(FP), SI
	MOVQ         blocks+16(FP), CX
	VPBROADCASTB marks<>+0(SB), Y8
	VPBROADCASTB marks<>+1(SB), Y9
	VPBROADCASTB marks<>+2(SB), Y10
	VPBROADCASTB marks<>+3(SB), Y11

next:
	VMOVDQU      0(SI), Y0
	VPCMPEQB     Y8, Y0, Y1
	VPCMPEQB     Y9, Y0, Y2
	VPCMPEQB     Y10, Y0, Y3
	VPCMPEQB     Y11, Y0, Y4
	VPMOVMSKB    Y1, R8
	VPMOVMSKB    Y2, R9
	VPMOVMSKB    Y3, R10
	VPMOVMSKB    Y4, R11
	VMOVDQU      32(SI), Y0
	VPCMPEQB     Y8, Y0, Y1
	VPCMPEQB     Y9, Y0, Y2
	VPCMPEQB     Y10, Y0, Y3
	VPCMPEQB     Y11, Y0, Y4
	VPMOVMSKB    Y1, R12
	VPMOVMSKB    Y2, R13
	VPMOVMSKB    Y3, AX
	VPMOVMSKB    Y4, BX
	SHLQ         $32, R12
	ORQ          R12, R8
	SHLQ         $32, R13
	ORQ          R13, R9
	SHLQ         $32, AX
	ORQ          AX, R10
	SHLQ         $32, BX
	ORQ          BX, R11
	MOVQ         R8, 0(DI)
	MOVQ         R9, 8(DI)
	MOVQ         R10, 16(DI)
	MOVQ         R11, 24(DI)
	ADDQ         $64, SI
	ADDQ         $32, DI
	DECQ         CX
	JNZ          next
	VZEROUPPER
	RET
