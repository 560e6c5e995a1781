# Two images: `producer` asks for work and has no PyTorch, `worker` renders. What they install is locked, with hashes.

# `docker buildx imagetools inspect python:3.11-slim` prints the digest of today, with its security fixes.
FROM python:3.11-slim@sha256:9c900dea9e8fb7e16277c179b555cc72d29a352dbc33cff48ad5a0412fd5bfc7 AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    MPLCONFIGDIR=/tmp/matplotlib
# A number that no user of the host is likely to have.
RUN groupadd --gid 10001 farm && useradd --uid 10001 --gid 10001 --create-home farm
WORKDIR /home/farm

# SqueezeNet's weights, for both images: a producer uploads them, a worker can register them. Without its dependencies:
# nothing imports the package.
# What only the build needs is mounted, so that no layer keeps it.
RUN --mount=type=bind,source=requirements/squeezenet.lock,target=/tmp/squeezenet.lock \
    pip install --no-compile --no-deps --require-hashes -r /tmp/squeezenet.lock

# The farm itself, as a wheel; setuptools is locked too, with the worker's packages.
FROM base AS wheel
WORKDIR /source
COPY requirements/worker.lock requirements/
RUN sed -n '/^setuptools==/,/# via/p' requirements/worker.lock > setuptools.lock \
    && pip install --require-hashes --no-deps -r setuptools.lock
COPY . .
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM base AS producer
RUN --mount=type=bind,source=requirements/producer.lock,target=/tmp/producer.lock \
    pip install --require-hashes -r /tmp/producer.lock
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels pip install --no-deps --no-index /wheels/*.whl
USER 10001:10001
WORKDIR /pictures
ENTRYPOINT ["stylefarm"]

FROM base AS worker
# For machines without a GPU: PyTorch's package index for CPUs, which pytorch.org names, leaves out 4 GB of CUDA. Its
# wheels have the locked versions; their hashes are not locked, since they are other files than those of the lock.
ARG TORCH_INDEX=""
RUN --mount=type=bind,source=requirements/worker.lock,target=/tmp/worker.lock \
    if [ -z "$TORCH_INDEX" ]; then \
      pip install --require-hashes -r /tmp/worker.lock; \
    else \
      PIP_INDEX_URL="$TORCH_INDEX" pip install --no-deps $(grep -oE '^torch(vision)?==[0-9.]+' /tmp/worker.lock) \
      && awk '/^[a-z]/ { of_torch = /^(torch|torchvision|triton|cuda-[a-z]+|nvidia-[a-z0-9-]+)==/ && !/^nvidia-ml-py==/ } \
              !of_torch' /tmp/worker.lock > /tmp/cpu.lock \
      && pip install --require-hashes -r /tmp/cpu.lock && rm /tmp/cpu.lock; \
    fi
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels pip install --no-deps --no-index /wheels/*.whl
USER 10001:10001
ENTRYPOINT ["stylefarm"]
CMD ["worker", "start"]
