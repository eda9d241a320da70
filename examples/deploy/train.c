/* The same training on the device: the loss and its gradient from step.c, the update here. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "step.h"

enum { PARAMETERS = STEP_OUTPUTS - 1, EPOCHS = 1000 };

int main(void)
{
    const double patterns[4][3] = {
        {0.0, 0.0, 0.0}, {0.0, 1.0, 1.0}, {1.0, 0.0, 1.0}, {1.0, 1.0, 0.0}};
    double in[STEP_INPUTS], out[STEP_OUTPUTS], work[STEP_WORK], total = 0.0;

    for (int i = 0; i < PARAMETERS; i++)
        in[i] = sin(i + 1.0);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        total = 0.0;
        for (int k = 0; k < 4; k++) {
            memcpy(in + PARAMETERS, patterns[k], sizeof patterns[k]);
            if (step(in, out, work) != 0)
                return 1;
            for (int i = 0; i < PARAMETERS; i++)
                in[i] -= 0.5 * out[1 + i];
            total += out[0];
        }
    }
    printf("%.17g\n", total / 4.0);
    return 0;
}
