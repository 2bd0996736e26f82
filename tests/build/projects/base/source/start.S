    .text
    .globl base_start
base_start:
    ret
    .section .note.GNU-stack,"",%progbits
