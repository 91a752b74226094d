# midigpt serve in a container:
#   docker build -t midigpt .   (--build-arg TORCH=torch adds PyTorch, for published checkpoints: gigabytes more;
#                                --build-arg POSTGRES='psycopg[binary]' for --job-store postgresql://...)
#   docker run -p 8000:8000 -v midigpt-models:/models -e MIDIGPT_API_KEY=secret midigpt   (models and jobs are kept there)
FROM python:3.12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ARG TORCH=
ARG POSTGRES=
RUN python -m venv /opt/midigpt && \
    /opt/midigpt/bin/pip install --no-cache-dir -c constraints.txt -r requirements.txt ${TORCH} ${POSTGRES} && \
    /opt/midigpt/bin/pip install --no-cache-dir --no-deps .

FROM python:3.12-slim
RUN useradd --create-home --uid 1000 midigpt && mkdir /models && chown midigpt /models
COPY --from=build /opt/midigpt /opt/midigpt
ENV PATH=/opt/midigpt/bin:$PATH HF_HOME=/models MIDIGPT_JOB_STORE=/models/jobs.sqlite
USER 1000
WORKDIR /home/midigpt
VOLUME /models
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
ENTRYPOINT ["midigpt", "serve", "--host", "0.0.0.0", "--port", "8000"]
