/* What the trained network says of the four patterns. */
#include <stdio.h>

#include "predict.h"

int main(void)
{
    const double patterns[4][PREDICT_INPUTS] = {{0.0, 0.0}, {0.0, 1.0}, {1.0, 0.0}, {1.0, 1.0}};
    double out[PREDICT_OUTPUTS], work[PREDICT_WORK];

    for (int i = 0; i < 4; i++) {
        if (predict(patterns[i], out, work) != 0)
            return 1;
        printf("%.17g\n", out[0]);
    }
    return 0;
}
