#!/bin/bash
# Downloads a data set on 16 nodes, and encodes it, each node a fixed share. The folder is shared by the nodes, and has
# @dalle-mini/cli installed.
#   prepare=$(sbatch --parsable slurm.sh prepare) && sbatch --dependency="afterok:$prepare" slurm.sh encode
# Submit a step again after a failure: it does only what is missing.
#SBATCH --job-name=cc12m
#SBATCH --array=0-15
#SBATCH --cpus-per-task=8
#SBATCH --mem=16G
#SBATCH --requeue
set -euo pipefail

export UV_THREADPOOL_SIZE=$SLURM_CPUS_PER_TASK
share="$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT"
case "$1" in
  prepare) npx dalle-mini data prepare cc12m.json --share "$share" ;;
  encode)
    npx dalle-mini data encode cc12m --image-tokenizer dalle-mini/vqgan_imagenet_f16_16384 --out tokens --share "$share" \
      --threads "$SLURM_CPUS_PER_TASK"
    ;;
esac
