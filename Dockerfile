# Kaskad with everything that requirements.lock pins.
#
#     docker build --tag kaskad .                              for a processor alone
#     docker build --tag kaskad --build-arg TORCH=cuda .       for NVIDIA GPUs
#     docker run --rm --volume "$PWD:/work" kaskad train data=numbers debug=fast
#     docker run --rm --gpus all --volume "$PWD:/work" kaskad train trainer=gpu
#
# The CUDA libraries come from wheels of the lock file; of the host only the driver is needed.
ARG PYTHON=3.12

FROM python:${PYTHON}-slim-bookworm AS environment
ARG TORCH=cpu
# kenlm is compiled.
RUN apt-get update && apt-get install --yes --no-install-recommends g++ cmake make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /kaskad
COPY requirements.lock ./
RUN grep '^uv==' requirements.lock > uv.txt && pip install --no-cache-dir --requirement uv.txt \
    && python -m venv /environment
ENV UV_LINK_MODE=copy VIRTUAL_ENV=/environment
# torch for a processor alone is the same version without the libraries of CUDA.
RUN --mount=type=cache,target=/root/.cache/uv \
    if [ "$TORCH" = cuda ]; then uv pip install --requirement requirements.lock; else \
    grep --invert-match --extended-regexp '^(cuda-|nvidia-|triton)' requirements.lock > cpu.lock \
    && uv pip install --torch-backend cpu --requirement cpu.lock; fi

FROM python:${PYTHON}-slim-bookworm AS development
# What the Makefile and the tests need beside Python; the dev container stops here.
RUN apt-get update && apt-get install --yes --no-install-recommends g++ git make \
    && rm -rf /var/lib/apt/lists/*
COPY --from=environment /environment /environment
ENV PATH=/environment/bin:$PATH VIRTUAL_ENV=/environment

FROM python:${PYTHON}-slim-bookworm
COPY --from=environment /environment /environment
ENV PATH=/environment/bin:$PATH
COPY . /kaskad
RUN pip install --no-cache-dir --no-deps --no-build-isolation /kaskad && rm -rf /kaskad
WORKDIR /work
ENTRYPOINT ["kaskad"]
